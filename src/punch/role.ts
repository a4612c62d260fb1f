import { anySignal } from 'any-signal'
import { pEvent } from 'p-event'
import { isRelayed, peerOf } from '../connection/peers.ts'
import type { TCPSTUNComponents } from '../components.ts'
import type { AbortOptions, Connection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Socket } from 'node:net'

export const DCUTR_PROTOCOL = '/libp2p/dcutr'

/**
 * A multistream-select initiator and a responder both begin with this
 */
const MULTISTREAM_HEADER = '\x13/multistream/1.0.0\n'

/**
 * How long to wait for the first bytes of an initiator, in ms. It sends them as soon
 * as it is connected.
 */
export const INITIATOR_TIMEOUT = 1_000

/**
 * - `initiator`: speaks first
 * - `responder`: waits for the other side to speak
 */
export type Role = 'initiator' | 'responder'

/**
 * A hole punch that is under way
 */
export interface Punch {
  role: Role

  /**
   * The relayed connection that DCUtR coordinates it over
   */
  relayed: Connection
}

/**
 * The hole punch that a dial to this address belongs to, and our role in it.
 *
 * In a simultaneous open both ends have dialled, so the sockets do not say who is
 * the initiator; DCUtR does. libp2p does not pass its `initiator` option on to
 * transports, but the stream that DCUtR uses shows it: the peer that opened the
 * stream is B, and B is the responder.
 *
 * Ask once the socket is connected: A's SYN often completes B's one-sided dial,
 * which begins before the punch.
 *
 * go-libp2p sends addresses without peer ids. A dial to such an address may belong
 * to any punch that is under way, or to none.
 */
export function findPunch (components: TCPSTUNComponents, ma: Multiaddr): Punch | undefined {
  const peer = peerOf(ma)
  const punches = (components.connectionManager?.getConnections() ?? [])
    .filter(connection => isRelayed(connection) && (peer == null || peer === connection.remotePeer.toString()))
    .flatMap((relayed): Punch[] => {
      const stream = relayed.streams.find(({ protocol }) => protocol === DCUTR_PROTOCOL)

      return stream == null ? [] : [{ role: stream.direction === 'outbound' ? 'responder' : 'initiator', relayed }]
    })

  return punches.find(({ role }) => role === 'responder') ?? punches[0]
}

export interface DetectRoleOptions extends AbortOptions {
  /**
   * How long to wait for the first bytes of an initiator, in ms; a fraction is rounded up
   *
   * @default 1_000
   */
  timeout?: number
}

/**
 * Our role, by what the other side sends first: an initiator sends the multistream
 * header and a proposal at once; a responder sends the header alone, or waits. The
 * bytes stay in the socket. This never throws: a signal that ends it ends the
 * upgrade that follows too.
 */
export async function detectRole (
  socket: Socket,
  { timeout = INITIATOR_TIMEOUT, ...options }: DetectRoleOptions = {}
): Promise<Role> {
  const signal = anySignal([options.signal, AbortSignal.timeout(Math.ceil(timeout))])
  let received = Buffer.alloc(0)

  try {
    while (received.byteLength <= MULTISTREAM_HEADER.length && !socket.readableEnded) {
      received = Buffer.concat([received, socket.read() ?? Buffer.alloc(0)])

      if (received.byteLength <= MULTISTREAM_HEADER.length) {
        await pEvent(socket, 'readable', { signal, rejectionEvents: ['error', 'close', 'end'] })
      }
    }
  } catch {
    // nothing more arrives in time
  } finally {
    signal.clear()
  }

  if (received.byteLength > 0 && !socket.destroyed) {
    socket.unshift(received)
  }

  return received.byteLength > MULTISTREAM_HEADER.length ? 'responder' : 'initiator'
}
