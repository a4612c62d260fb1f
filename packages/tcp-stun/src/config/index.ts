/**
 * The configuration of a node in a network that has a helper (`tcp-stun helper`): with
 * nothing but the helper's address it finds the other nodes, and is connected to them,
 * directly where the NATs allow it. In a browser it has no TCP.
 *
 * @example
 *
 * ```TypeScript
 * import { createLibp2p } from 'libp2p'
 * import { helperConfig } from 'tcp-stun/config'
 *
 * const node = await createLibp2p(await helperConfig('helper.example.org', { namespace: 'my-app' }))
 *
 * node.addEventListener('peer:connect', ({ detail }) => { console.info('connected to', detail.toString()) })
 * ```
 *
 * @example A node with a configuration of its own
 *
 * ```TypeScript
 * import { kadDHT } from '@libp2p/kad-dht'
 * import { createLibp2p } from 'libp2p'
 * import { helperConfig, mergeConfig } from 'tcp-stun/config'
 *
 * const node = await createLibp2p(mergeConfig(
 *   await helperConfig('helper.example.org', { namespace: 'my-app' }),
 *   { services: { dht: kadDHT() } }
 * ))
 * ```
 *
 * @module tcp-stun/config
 */

import { autoNATv2 } from '@libp2p/autonat-v2'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify, identifyPush } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { preSharedKey } from '@libp2p/pnet'
import { yamux } from '@libp2p/yamux'
import { anySignal } from 'any-signal'
import { peerIdOf } from '../dnsaddr.ts'
import { rendezvousClient } from '../rendezvous/client/index.ts'
import { hasName, resolveHelpers, unknownHelpers } from './helper-address.ts'
import { memberConnector } from './member-connector.ts'
import { defaultListen, dialRules, dialable, directServices, directTransports } from './platform.ts'
import type { Helpers } from './helper-address.ts'
import type { MemberConnector } from './member-connector.ts'
import type { ResolveDNSAddrOptions } from '../dnsaddr.ts'
import type { RendezvousClient } from '../rendezvous/client/index.ts'
import type { Identify, IdentifyPush } from '@libp2p/identify'
import type { AbortOptions } from '@libp2p/interface'
import type { Ping } from '@libp2p/ping'
import type { DNS } from '@multiformats/dns'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Libp2pOptions } from 'libp2p'

export interface HelperConfigInit extends AbortOptions {
  /**
   * The name of the application, under which its nodes find each other. Several are
   * possible.
   */
  namespace: string | string[]

  /**
   * Where to listen, as multiaddrs
   *
   * @default a free TCP port of all addresses; nowhere in a browser
   */
  listen?: string[]

  /**
   * To how many nodes of the network this one connects by itself. Others may connect to
   * it, and it may dial others.
   *
   * @default 20
   */
  maxMembers?: number

  /**
   * RFC 7064 URIs of the STUN servers
   *
   * @default those of the helpers, on port 3478 unless they have SRV records
   */
  stunServers?: string[]

  /**
   * The key of a private network, as `tcp-stun helper --network-key` creates it
   *
   * @default none
   */
  networkKey?: Uint8Array

  /**
   * The name and password of a private STUN server, as `tcp-stun helper --private` creates
   * it: `name:password`
   *
   * @default none
   */
  stunCredential?: string

  /**
   * How far a hole punch goes where one NAT is endpoint-dependent, see `dcutr()`. With
   * `wide`, a peer may cost 1 024 SYNs to an address that a helper attests.
   *
   * @default true
   */
  hardPunch?: boolean | 'wide'

  /**
   * Whether pages in browsers can connect to the port of this node too, by WebSocket. It has
   * no effect in a page.
   *
   * @default false
   */
  webSockets?: boolean

  /**
   * For TXT records
   *
   * @default that of the system
   */
  dns?: DNS
}

export interface HelperConfigServices extends Record<string, unknown> {
  identify: Identify
  identifyPush: IdentifyPush
  ping: Ping
  autoNAT: unknown
  board: RendezvousClient
  members: MemberConnector
}

/**
 * As many direct addresses as this many ms may pass before the relay is tried
 */
const ADDRESS_DIAL_TIMEOUT = 3_000

/**
 * The helper has thousands of connections: a ping on each of them every 10 s, as libp2p
 * does it, would be most of its work. This also keeps the mappings of NATs, in ms.
 */
const PING_INTERVAL = 60_000

/**
 * More helpers than these are not reserved a slot at
 */
const MAX_RELAYS = 2

/**
 * How long the start of a node waits for name servers, in ms
 */
const LOOK_UP_TIMEOUT = 5_000

/**
 * The options of a libp2p node that uses a helper
 *
 * @param address - of the helper: a multiaddr with its peer id, like the helper prints it
 * (`/dns4/helper.example.org/tcp/4001/p2p/12D3Koo...`), `/dnsaddr/helper.example.org`, or
 * a host name with `dnsaddr` records; several helpers as a list. Names are looked up again
 * every hour, when a helper does not answer, and until they can be: a node may start without
 * a network.
 *
 * @throws {InvalidHelperAddressError} an address is none of these, or the name has no records
 * @throws {InvalidParametersError} an option is invalid
 * @throws {AbortError} the signal was aborted
 */
export async function helperConfig (
  address: string | string[],
  init: HelperConfigInit
): Promise<Libp2pOptions<HelperConfigServices>> {
  const { namespace, listen = defaultListen(), maxMembers, dns, networkKey } = init
  const texts = [address].flat()
  const helpers = await findHelpers(texts, init)
  const relays = Array.from({ length: Math.min(helpers.ids, MAX_RELAYS) }, () => '/p2p-circuit')
  const ids = new Set<string>()
  const dialableHelpers = (addresses: Multiaddr[]): Multiaddr[] => {
    addresses.forEach(address => { ids.add(peerIdOf(address) ?? '') })

    return dialable(addresses)
  }

  return {
    addresses: { listen: [...listen, ...relays] },
    transports: [
      ...directTransports({ ...init, stunServers: init.stunServers ?? helpers.stunServers }),
      circuitRelayTransport()
    ],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ keepAliveInterval: PING_INTERVAL })],
    connectionManager: { addressDialTimeout: ADDRESS_DIAL_TIMEOUT },
    connectionMonitor: { pingInterval: PING_INTERVAL },
    dns,
    ...dialRules(ids),
    ...networkKey != null && { connectionProtector: preSharedKey({ psk: networkKey }) },
    services: {
      identify: identify(),
      identifyPush: identifyPush(),
      ping: ping(),
      autoNAT: autoNATv2(),
      ...directServices({
        hardPunch: init.hardPunch,
        trustedRelays: helpers.addresses.flatMap(address => peerIdOf(address) ?? [])
      }),
      board: rendezvousClient({
        servers: dialableHelpers(helpers.addresses),
        namespaces: [namespace].flat(),
        ...texts.some(hasName) && {
          lookUp: async ({ signal }) => dialableHelpers(await lookUpHelpers(texts, { dns, signal }))
        }
      }),
      members: memberConnector({ maxMembers })
    }
  }
}

/**
 * A name that cannot be looked up now is looked up again while the node runs
 */
async function findHelpers (texts: string[], { dns, signal }: HelperConfigInit): Promise<Helpers> {
  const limited = anySignal([signal, AbortSignal.timeout(LOOK_UP_TIMEOUT)])

  try {
    return await resolveHelpers(texts, { dns, signal: limited })
  } catch (err: any) {
    signal?.throwIfAborted()

    if (err.name === 'HelperLookUpError' || limited.aborted) {
      return unknownHelpers(texts, MAX_RELAYS)
    }

    throw err
  } finally {
    limited.clear()
  }
}

async function lookUpHelpers (texts: string[], options: ResolveDNSAddrOptions): Promise<Multiaddr[]> {
  const { addresses } = await resolveHelpers(texts, { ...options, cached: false })

  return addresses
}

export { InvalidHelperAddressError } from './helper-address.ts'
export { mergeConfig } from './merge-config.ts'
export type { MemberConnector } from './member-connector.ts'
