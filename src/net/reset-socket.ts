import type { Socket } from 'node:net'

/**
 * End a connection with RST, which leaves no TIME_WAIT: the same local port can
 * connect to the same endpoint again at once. A socket that cannot be reset is
 * destroyed: a Unix socket, a TLS session, a socket that is still connecting or is
 * just being shut down.
 */
export function resetSocket (socket: Socket): void {
  // Node would wait for the connection and then reset it
  if (socket.connecting || isShuttingDown(socket)) {
    socket.destroy()
    return
  }

  try {
    socket.resetAndDestroy()
  } catch {
    socket.destroy()
  }
}

/**
 * Between shutdown() and its callback libuv refuses a reset (EINVAL). Node then
 * never closes the socket: there is no `close` event, and the process spins when it
 * ends.
 */
function isShuttingDown (socket: Socket): boolean {
  return socket.writableEnded && socket.writableLength === 0 && !socket.writableFinished
}
