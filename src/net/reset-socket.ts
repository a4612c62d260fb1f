import type { Socket } from 'node:net'

/**
 * End a connection by RST, which leaves no TIME_WAIT: the same endpoint can be
 * connected to again from the same local port at once. What can not be reset (a
 * Unix socket, a TLS session, a connection that is not there yet) is destroyed.
 */
export function resetSocket (socket: Socket): void {
  if (socket.connecting) {
    // Node would wait for the connection, then reset it
    socket.destroy()
    return
  }

  try {
    socket.resetAndDestroy()
  } catch {
    socket.destroy()
  }
}
