import { toIPEndpoint, toMultiaddr } from 'libp2p-tcp-stun/multiaddr'
import { DialBackError, requestDialBack } from './autonat-client.ts'
import type { Connection, Libp2p } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Endpoint } from 'libp2p-tcp-stun/net'

/**
 * Whether a peer outside can dial the external address:
 *
 * - `reached`: it did. `stranger` is true when the checked port had not contacted
 * the peer's address before, so the NAT admitted it as it would admit anyone
 * - `not-reached`: it tried and failed
 * - `failed`: it could not be asked, or refused to try
 * - `not-asked`: no peer was named, or there is no single address to dial
 */
export type DialBackResult =
  { outcome: 'reached', peer: string, stranger: boolean } |
  { outcome: 'not-reached', peer: string } |
  { outcome: 'failed', error: Error } |
  { outcome: 'not-asked', because: 'no-peer' | 'no-address' }

export interface AskDialBackInit {
  /**
   * AutoNAT v2 servers, asked in turn until one of them knows
   */
  peers: Multiaddr[]

  external: Endpoint

  /**
   * Where to listen: nothing else may listen on this port any more
   */
  local: Endpoint

  /**
   * The hosts that the port has contacted
   */
  contacted: Set<string>

  signal: AbortSignal
}

/**
 * Ask peers outside to dial the external address, by AutoNAT v2
 */
export async function askDialBack (init: AskDialBackInit): Promise<DialBackResult> {
  let result: DialBackResult = { outcome: 'not-asked', because: 'no-peer' }
  let node: Libp2p | undefined

  try {
    node = await startNode(init.local)

    for (const peer of init.peers) {
      try {
        result = toResult(peer, await requestDialBack(node, peer, init.external, init.signal), init.contacted)
      } catch (err: any) {
        const error = init.signal.aborted
          ? new DialBackError(`${peer} did not report in time whether it could dial`)
          : err
        // an earlier peer's answer says more than this error
        result = result.outcome === 'not-asked' ? { outcome: 'failed', error } : result
      }

      if (result.outcome === 'not-reached' || (result.outcome === 'reached' && result.stranger)) {
        break
      }
    }
  } catch (error: any) {
    result = { outcome: 'failed', error }
  } finally {
    await node?.stop()
  }

  return result
}

/**
 * The node listens on the port that the STUN servers were asked from. It dials
 * from other ports, because a NAT may admit every host that this port contacts.
 */
async function startNode (local: Endpoint): Promise<Libp2p> {
  const [{ createLibp2p }, { noise }, { yamux }, { tcpSTUN }] = await Promise.all([
    import('libp2p'),
    import('@libp2p/noise'),
    import('@libp2p/yamux'),
    import('libp2p-tcp-stun')
  ])

  return createLibp2p({
    addresses: { listen: [toMultiaddr(local).toString()] },
    transports: [tcpSTUN({ stunServers: [], portReuse: false })],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()]
  })
}

/**
 * What it means that the peer came in by this connection, or by none
 */
function toResult (peer: Multiaddr, connection: Connection | undefined, contacted: Set<string>): DialBackResult {
  if (connection == null) {
    return { outcome: 'not-reached', peer: peer.toString() }
  }

  const host = toIPEndpoint(connection.remoteAddr)?.host

  return { outcome: 'reached', peer: peer.toString(), stranger: host != null && !contacted.has(host) }
}
