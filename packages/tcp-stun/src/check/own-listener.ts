import net from 'node:net'
import { assertPortFree, bindSocket, resetSocket } from 'libp2p-tcp-stun/net'
import { pEvent } from 'p-event'

/**
 * The listener whose port is checked
 */
export interface OwnListener {
  host: string
  port: number

  /**
   * Call back when a connection begins with these bytes
   *
   * @returns a function that stops waiting for them
   */
  expect(token: Uint8Array, callback: () => void): () => void

  /**
   * Stop listening, at once
   */
  close(): void
}

/**
 * Listen on a port that connections to STUN servers can share
 *
 * @throws the system's error: EADDRINUSE, EACCES...
 */
export async function ownListener (host: string, port: number): Promise<OwnListener> {
  const expected = new Map<string, () => void>()
  const sockets = new Set<net.Socket>()
  const server = net.createServer(socket => {
    let received = Buffer.alloc(0)
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => { sockets.delete(socket) })
    socket.on('data', chunk => {
      received = Buffer.concat([received, chunk])

      for (const [token, callback] of expected) {
        if (received.toString('hex').startsWith(token)) {
          callback()
        }
      }

      // this listener expects nothing longer
      if (received.byteLength > 64) {
        resetSocket(socket)
      }
    })
  })
  const options = { host, port, ipv6Only: net.isIPv6(host) }

  assertPortFree(options)
  const bound = bindSocket(options)
  const listening = pEvent(server, 'listening')
  bound.listen(server)
  await listening

  return {
    host,
    port: bound.port,
    expect: (token, callback) => {
      const key = Buffer.from(token).toString('hex')
      expected.set(key, callback)

      return () => { expected.delete(key) }
    },
    close: () => {
      server.close()
      sockets.forEach(resetSocket)
    }
  }
}
