import type { Socket } from 'node:net'

/**
 * End a connection by RST, which leaves no TIME_WAIT: the same endpoint can be
 * connected to again from the same local port at once. What can not be reset (a
 * Unix socket, a TLS session, a connection that is not there yet or just being
 * shut down) is destroyed.
 */
export function resetSocket (socket: Socket): void {
  // Node would wait for the connection, then reset it
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
 * Between shutdown() and its callback libuv refuses a reset (EINVAL), and Node then
 * never closes the socket: no `close` event, and the process spins when it ends.
 */
function isShuttingDown (socket: Socket): boolean {
  return socket.writableEnded && socket.writableLength === 0 && !socket.writableFinished
}
