import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { ConnectionTable } from '../../src/connection/connection-table.ts'
import { NAT_MEMORY } from '../../src/constants.ts'
import { ListenerMapping } from '../../src/listen/listener-mapping.ts'
import { ListenerStatuses } from '../../src/listen/listener-statuses.ts'
import { ListeningPorts } from '../../src/listen/listening-ports.ts'
import { contactedHosts } from '../../src/net/contacted-hosts.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { components, recordingAddressManager } from '../fixtures/components.ts'
import { HeldClock } from '../fixtures/held-clock.ts'
import { listenShared } from '../fixtures/listen-shared.ts'
import { mapsTo } from '../fixtures/stun-servers.ts'
import type { NodeAddress, ObservedAddresses } from '../../src/index.ts'
import type { Socket } from 'node:net'

const STRANGER = { remoteAddress: '11.0.0.9', localAddress: '127.0.0.1' } as unknown as Socket

describe('inbound connections of a mapped listener', () => {
  const { closeLater } = closesAfterEach()

  interface Setting {
    mapping: ListenerMapping
    clock: HeldClock
    port: number
    reachability(): unknown
  }

  async function start (
    { isFixed = false, others = [] }: { isFixed?: boolean, others?: NodeAddress[] } = {}
  ): Promise<Setting> {
    const server = closeLater(await mapsTo('11.1.0.1', 50123))
    const { port } = closeLater(await listenShared())
    const known = recordingAddressManager()
    const addressManager: ObservedAddresses = {
      ...known,
      getAddressesWithMetadata: () => [...known.getAddressesWithMetadata(), ...others]
    }
    const node = components({ addressManager, registrar: { getProtocols: () => ['/libp2p/autonat/2/dial-back'] } })
    const statuses = new ListenerStatuses()
    const clock = new HeldClock()
    const mapping = closeLater(new ListenerMapping(node, {
      options: { stunServers: [server.uri] },
      ports: new ListeningPorts(),
      connections: new ConnectionTable(),
      statuses,
      log: node.logger.forComponent('test'),
      clock,
      onChange: () => {}
    }))
    await mapping.start({ host: '127.0.0.1', port, family: 4 }, { signal: AbortSignal.timeout(5_000), isFixed })
    expect(statuses.listeners).to.have.nested.property('0.state', 'mapped')

    return {
      mapping,
      clock,
      port,
      reachability: () => {
        const [{ reachability, reachabilitySource }] = statuses.listeners as any[]

        return [reachability, reachabilitySource]
      }
    }
  }

  it('prove that strangers get in', async () => {
    const { mapping, reachability } = await start()
    expect(reachability()).to.deep.equal(['unknown', undefined])
    mapping.onInbound(STRANGER)
    expect(reachability()).to.deep.equal(['public', 'inbound'])
  })

  it('prove nothing while a NAT may remember an earlier process with the same port', async () => {
    const { mapping, clock, reachability } = await start({ isFixed: true })
    mapping.onInbound(STRANGER)
    clock.advance(NAT_MEMORY - 1_000)
    mapping.onInbound(STRANGER)
    expect(reachability()).to.deep.equal(['unknown', undefined])

    clock.advance(1_000)
    mapping.onInbound(STRANGER)
    expect(reachability()).to.deep.equal(['public', 'inbound'])
  })

  it('prove nothing from a host that the port has contacted', async () => {
    const { mapping, port, reachability } = await start()
    contactedHosts.add(port, '11.0.0.9')
    mapping.onInbound(STRANGER)
    mapping.onInbound({ ...STRANGER, remoteAddress: '::ffff:11.0.0.9' } as unknown as Socket)
    expect(reachability()).to.deep.equal(['unknown', undefined])
  })

  it('prove nothing while the node has an address by UPnP too', async () => {
    const { mapping, reachability } = await start({
      others: [{ multiaddr: multiaddr('/ip4/11.1.0.1/tcp/4001'), type: 'ip-mapping', verified: true, expires: 0 }]
    })
    mapping.onInbound(STRANGER)
    expect(reachability()).to.deep.equal(['unknown', undefined])
  })
})
