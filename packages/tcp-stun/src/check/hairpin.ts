import { randomBytes } from 'node:crypto'
import net from 'node:net'
import { resetSocket } from 'libp2p-tcp-stun/net'
import type { OwnListener } from './own-listener.ts'
import type { Endpoint } from 'libp2p-tcp-stun/net'

/**
 * Whether a host inside reaches another one by its external address (RFC 5382,
 * REQ-8):
 *
 * - `works`: the dial arrived at our listener
 * - `fails`: nobody answered
 * - `other-host`: somebody else did, say the router's own page or the host that
 * this port is forwarded to
 * - `not-asked`: without a NAT, or without an address, there is nothing to ask
 */
export type HairpinResult = 'works' | 'fails' | 'other-host' | 'not-asked'

/**
 * A round trip to the carrier's NAT and back, with one lost SYN: in ms
 */
const TIMEOUT = 2_000

/**
 * Dial the own external address from another port, and see where it arrives
 */
export async function askHairpin (external: Endpoint, listener: OwnListener, signal: AbortSignal): Promise<HairpinResult> {
  const token = randomBytes(16)
  const { promise, resolve } = Promise.withResolvers<HairpinResult>()
  const socket = net.connect({ ...external, signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT)]) })
  const forget = listener.expect(token, () => { resolve('works') })

  socket.once('connect', () => { socket.write(token) })
  socket.on('error', () => {})
  socket.once('close', () => { resolve(socket.bytesWritten > 0 ? 'other-host' : 'fails') })

  try {
    return await promise
  } finally {
    forget()
    resetSocket(socket)
  }
}
