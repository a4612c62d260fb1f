import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { warning } from '../../src/listen/no-address-warning.ts'
import { NoSTUNServersError, PortSharingUnsupportedError } from '../../src/mapping/errors.ts'
import type { ListenerStatus } from '../../src/index.ts'

const run = promisify(execFile)

const COMMON = { listener: multiaddr('/ip4/0.0.0.0/tcp/4001'), keepAliveInterval: 15_000, failures: [] }
const failures = [{ server: 'stun:example.org', error: new Error('it does not answer'), time: 0 }]
const lost: ListenerStatus = { ...COMMON, failures, state: 'lost', reason: failures[0].error }
const acquiring: ListenerStatus = { ...COMMON, state: 'acquiring' }
const dependent: ListenerStatus = { ...COMMON, state: 'endpoint-dependent', isPooled: false, addresses: [], peers: [] }
const off: ListenerStatus = { ...COMMON, state: 'lost', reason: new NoSTUNServersError() }
const unsupported: ListenerStatus = {
  ...COMMON, state: 'unsupported', reason: new PortSharingUnsupportedError('This runtime cannot share a TCP port')
}
const mapped: ListenerStatus = {
  ...COMMON,
  state: 'mapped',
  external: multiaddr('/ip4/11.0.0.1/tcp/1'),
  endpoint: { host: '11.0.0.1', port: 1 },
  local: multiaddr('/ip4/192.168.1.2/tcp/4001'),
  behaviour: 'unknown',
  servers: [],
  since: 0,
  reachability: 'unknown'
}

/**
 * Two nodes whose only STUN server is not there
 */
const NODES = `
import { createLibp2p } from 'libp2p'
import { natStatus, tcpSTUN } from 'libp2p-tcp-stun'

for (let i = 0; i < 2; i++) {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0'] },
    transports: [tcpSTUN({ stunServers: ['stun:127.0.0.1:1'] })]
  })
  console.log(natStatus(node).listeners.map(({ state }) => state).join())
  await node.stop()
}
`

describe('the warning that a node has no public address', () => {
  for (const [title, listeners, words] of [
    ['no listener has one', [lost], 'for example stun:example.org: it does not answer'],
    ['no listener of several has one', [lost, lost], 'no STUN server can be used'],
    ['the platform is to blame', [unsupported], 'This runtime cannot share a TCP port']
  ] as Array<[string, ListenerStatus[], string]>) {
    it(`is given when ${title}`, () => {
      expect(warning(listeners)).to.include(words)
    })
  }

  for (const [title, listeners] of [
    ['there is no listener', []],
    ['a listener still looks for one', [lost, acquiring]],
    ['another listener has one: there is IPv4, but no IPv6', [mapped, lost]],
    ['the NAT is to blame, which the status tells', [dependent]],
    ['nobody wants one', [off]]
  ] as Array<[string, ListenerStatus[]]>) {
    it(`is not given when ${title}`, () => {
      expect(warning(listeners)).to.equal(undefined)
    })
  }

  it('goes to the console once a process, and can be turned off', async function () {
    this.timeout(30_000)
    const args = ['--input-type=module', '-e', NODES]
    const { stdout, stderr } = await run(process.execPath, args)
    expect(stdout).to.equal('lost,lost\nlost,lost\n')
    expect(stderr.match(/TCP_STUN_NO_ADDRESS/g)).to.have.lengthOf(1)
    expect(stderr).to.include('no STUN server can be used, for example stun:127.0.0.1:1: ')

    const quiet = await run(process.execPath, ['--disable-warning=TCP_STUN_NO_ADDRESS', ...args])
    expect(quiet.stderr).to.equal('')
  })
})
