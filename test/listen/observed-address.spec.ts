import net from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { ConnectionTable } from '../../src/connection/connection-table.ts'
import { ListeningPorts } from '../../src/listen/listening-ports.ts'
import { observedAddress } from '../../src/listen/observed-address.ts'
import { NOT_GLOBAL } from '../fixtures/addresses.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { fakeServer } from '../fixtures/stun-servers.ts'
import type { ListeningPort } from '../../src/listen/listening-ports.ts'
import type { ObservedAddress } from '../../src/listen/observed-address.ts'
import type { IdentifyResult } from '@libp2p/interface'

describe('observed address', () => {
  const { closeLater } = closesAfterEach()

  /**
   * The socket is real, but connected to loopback, so its addresses are replaced by
   * those of a peer on the internet.
   */
  async function connected ({
    isShared = true,
    host = '11.0.0.9'
  }: { isShared?: boolean; host?: string } = {}): Promise<{
    observe(result: IdentifyResult): ObservedAddress | undefined
    shared: ListeningPort
    again(): Promise<void>
  }> {
    const server = closeLater(await fakeServer(() => {}))
    const socket = net.connect(server)
    closeLater({ close: () => socket.destroy() })
    await pEvent(socket, 'connect', { timeout: 5_000 })
    const port = socket.localPort ?? 0
    const ports = new ListeningPorts()
    const connections = new ConnectionTable()
    Object.defineProperties(socket, { remoteAddress: { value: host }, remotePort: { value: 4001 } })
    connections.track(socket, 'outbound')
    const shared: ListeningPort = { host: '0.0.0.0', port: isShared ? port : port - 1, family: 4 }
    ports.add(shared)

    return {
      observe: result => observedAddress(result, ports, connections),
      shared,
      again: async () => {
        const other = net.connect(server)
        closeLater({ close: () => other.destroy() })
        await pEvent(other, 'connect', { timeout: 5_000 })
        Object.defineProperties(other, { remoteAddress: { value: '11.0.0.9' }, remotePort: { value: 4001 } })
        connections.track(other, 'outbound')
      }
    }
  }

  function result (overrides: { observed?: string, remote?: string, direction?: string } = {}): any {
    const { observed = '/ip4/11.1.0.1/tcp/5000', remote = '/ip4/11.0.0.9/tcp/4001', direction = 'outbound' } = overrides

    return {
      observedAddr: observed === '' ? undefined : multiaddr(observed),
      connection: { remoteAddr: multiaddr(remote), direction }
    }
  }

  it('is what a peer reports that was dialled from a listening port', async () => {
    const { observe, shared } = await connected()
    const expected = { port: shared, host: '11.0.0.9', external: { host: '11.1.0.1', port: 5000 } }
    expect(observe(result())).to.deep.equal(expected)
    expect(
      observe(result({ observed: '/ip4/11.1.0.1/tcp/5000/p2p/12D3KooWQgZPPKBL3kZg6d44ougupt6QytBKG17MG4Dm7YbyJP9b' }))
    ).to.deep.equal(expected)
  })

  it('is none where the report says nothing about the mapping', async () => {
    const { observe, again } = await connected()
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
      expect(observe(result(overrides)), JSON.stringify(overrides)).to.equal(undefined)
    }

    expect(other.observe(result()), 'from a fresh port').to.equal(undefined)

    await again()
    expect(observe(result()), 'from several ports').to.equal(undefined)
  })

  for (const host of NOT_GLOBAL[4]) {
    it(`is none from a peer at ${host}`, async () => {
      const { observe } = await connected({ host })
      expect(observe(result({ remote: `/ip4/${host}/tcp/4001` }))).to.equal(undefined)
    })
  }
})
