import { anySignal } from 'any-signal'
import { pEvent } from 'p-event'
import { isRelayed, peerOf } from '../connection/peers.ts'
import { toIPEndpoint } from '../multiaddr/net-config.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { TCPSTUNComponents } from '../components.ts'
import type { ConnectionTable } from '../connection/connection-table.ts'
import type { AbortOptions, Connection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * The connection that a remote endpoint has made to our listening port, once it is
 * upgraded
 *
 * @returns nothing when there is none, or it closes
 * @throws {AbortError} the signal was aborted
 */
export async function untilInboundOpens (
  components: TCPSTUNComponents,
  connections: ConnectionTable,
  localPort: number,
  remote: Endpoint,
  ma: Multiaddr,
  { signal }: AbortOptions
): Promise<Connection | undefined> {
  const socket = connections.findInbound(localPort, remote)

  if (socket == null) {
    return
  }

  const closed = new AbortController()
  const onClose = (): void => { closed.abort() }
  socket.once('close', onClose)

  try {
    return await untilOpen(
      components,
      connection => {
        const endpoint = toIPEndpoint(connection.remoteAddr)

        return endpoint?.host === remote.host && endpoint.port === remote.port && isWith(connection, ma)
      },
      { signal, giveUp: closed.signal }
    )
  } finally {
    socket.off('close', onClose)
  }
}

export interface UntilPeerConnectsOptions extends AbortOptions {
  /**
   * How long to wait, in ms
   */
  timeout: number
}

/**
 * A direct connection with the peer that an address names
 *
 * @returns nothing when there is none in time
 * @throws {AbortError} the signal was aborted
 */
export async function untilPeerConnects (
  components: TCPSTUNComponents,
  ma: Multiaddr,
  { timeout, signal }: UntilPeerConnectsOptions
): Promise<Connection | undefined> {
  return untilOpen(components, connection => peerOf(ma) != null && isWith(connection, ma), {
    signal,
    giveUp: AbortSignal.timeout(Math.ceil(timeout))
  })
}

interface UntilOpenOptions extends AbortOptions {
  /**
   * Wait no longer
   */
  giveUp: AbortSignal
}

async function untilOpen (
  { connectionManager, events }: TCPSTUNComponents,
  matches: (connection: Connection) => boolean,
  { signal, giveUp }: UntilOpenOptions
): Promise<Connection | undefined> {
  const isMatch = (connection: Connection): boolean =>
    !isRelayed(connection) && connection.status === 'open' && matches(connection)
  const connection = connectionManager?.getConnections().find(isMatch)

  if (connection != null || events == null) {
    return connection
  }

  const either = anySignal([signal, giveUp])

  try {
    const { detail } = await pEvent<'connection:open', CustomEvent<Connection>>(events, 'connection:open', {
      signal: either,
      filter: ({ detail }) => isMatch(detail)
    })

    return detail
  } catch {
    signal?.throwIfAborted()
  } finally {
    either.clear()
  }
}

/**
 * Whether a connection is with the peer that an address names, if it names one
 */
function isWith ({ remotePeer }: Connection, ma: Multiaddr): boolean {
  const peer = peerOf(ma)

  return peer == null || peer === remotePeer.toString()
}
