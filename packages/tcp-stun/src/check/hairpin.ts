import { randomBytes } from 'node:crypto'
import net from 'node:net'
import { resetSocket } from 'libp2p-tcp-stun/net'
import type { OwnListener } from './own-listener.ts'
import type { Endpoint } from 'libp2p-tcp-stun/net'

/**
 * Whether hosts inside can reach this one by its external address (RFC 5382,
 * REQ-8):
 *
 * - `works`: the dial arrived at our listener
 * - `fails`: nothing answered
 * - `other-host`: something else answered, for example the router's web page, or
 * the host that this port is forwarded to
 * - `not-asked`: there is no NAT, or no external address
 */
export type HairpinResult = 'works' | 'fails' | 'other-host' | 'not-asked'

/**
 * Dial our own external address from another port, and see where that arrives within
 * `timeout` ms
 */
export async function askHairpin (
  external: Endpoint,
  listener: OwnListener,
  timeout: number,
  signal: AbortSignal
): Promise<HairpinResult> {
  const token = randomBytes(16)
  const { promise, resolve } = Promise.withResolvers<HairpinResult>()
  const socket = net.connect({ ...external, signal })
  // what has arrived counts, although this process was too busy to see it in time; what
  // is connected only has to carry the token
  const timer = setTimeout(() => {
    setImmediate(() => { setTimeout(() => { socket.destroy() }, socket.connecting ? 0 : timeout).unref() })
  }, timeout)
  const forget = listener.expect(token, () => { resolve('works') })

  socket.once('connect', () => { socket.write(token) })
  socket.on('error', () => {})
  socket.once('close', () => { resolve(socket.bytesWritten > 0 ? 'other-host' : 'fails') })

  try {
    return await promise
  } finally {
    clearTimeout(timer)
    forget()
    resetSocket(socket)
  }
}
