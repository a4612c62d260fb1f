import net from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { SharedPorts } from '../../src/dial/shared-ports.ts'
import { observedAddress } from '../../src/listen/observed-address.ts'
import { NOT_GLOBAL } from '../fixtures/addresses.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { fakeServer } from '../fixtures/stun-servers.ts'
import type { SharedPort } from '../../src/dial/shared-ports.ts'

describe('observed address', () => {
  const { closeLater } = closesAfterEach()

  /**
   * The socket is real. It is on loopback, so the addresses are those of somebody
   * on the internet.
   */
  async function connected ({ isShared = true, host = '11.0.0.9' }: { isShared?: boolean, host?: string } = {}): Promise<{ ports: SharedPorts, shared: SharedPort }> {
    const server = closeLater(await fakeServer(() => {}))
    const socket = net.connect(server)
    closeLater({ close: () => socket.destroy() })
    await pEvent(socket, 'connect', { timeout: 5_000 })
    const port = socket.localPort ?? 0
    const ports = new SharedPorts()
    Object.defineProperties(socket, { remoteAddress: { value: host }, remotePort: { value: 4001 } })
    ports.track(socket, 'outbound')
    const shared: SharedPort = { host: '0.0.0.0', port: isShared ? port : port - 1, family: 4 }
    ports.add(shared)

    return { ports, shared }
  }

  function result (overrides: { observed?: string, remote?: string, direction?: string } = {}): any {
    const { observed = '/ip4/11.1.0.1/tcp/5000', remote = '/ip4/11.0.0.9/tcp/4001', direction = 'outbound' } = overrides

    return { observedAddr: observed === '' ? undefined : multiaddr(observed), connection: { remoteAddr: multiaddr(remote), direction } }
  }

  it('is what a peer sees that was dialled from a listening port', async () => {
    const { ports, shared } = await connected()
    const expected = { port: shared, host: '11.0.0.9', external: { host: '11.1.0.1', port: 5000 } }
    expect(observedAddress(result(), ports)).to.deep.equal(expected)
    expect(observedAddress(result({ observed: '/ip4/11.1.0.1/tcp/5000/p2p/12D3KooWQgZPPKBL3kZg6d44ougupt6QytBKG17MG4Dm7YbyJP9b' }), ports)).to.deep.equal(expected)
  })

  it('is none where it says nothing of the mapping', async () => {
    const { ports } = await connected()
    const other = await connected({ isShared: false })

    for (const overrides of [
      { observed: '' },
      { observed: '/ip4/11.1.0.1/udp/5000/quic-v1' },
      { observed: '/dns4/example.org/tcp/5000' },
      { remote: '/ip4/11.0.0.9/tcp/4002' },
      { remote: '/ip4/192.168.1.3/tcp/4001' },
      { remote: '/unix/%2Ftmp%2Fs' },
      { direction: 'inbound' },
      { remote: '/ip4/11.0.0.9/tcp/4001/p2p/12D3KooWQgZPPKBL3kZg6d44ougupt6QytBKG17MG4Dm7YbyJP9b/p2p-circuit' },
      { observed: '/ip6/2a00::1/ipcidr/64/tcp/1' }
    ]) {
      expect(observedAddress(result(overrides), ports), JSON.stringify(overrides)).to.equal(undefined)
    }

    expect(observedAddress(result(), other.ports), 'from a fresh port').to.equal(undefined)
  })

  for (const host of NOT_GLOBAL[4]) {
    it(`is none from a peer at ${host}`, async () => {
      const { ports } = await connected({ host })
      expect(observedAddress(result({ remote: `/ip4/${host}/tcp/4001` }), ports)).to.equal(undefined)
    })
  }
})
