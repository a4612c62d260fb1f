import type { Socket } from 'node:net'

/**
 * Call `receive` with what a socket reads, as its `data` event would, but without the
 * stream's task for the next tick, which looks after each chunk whether to read more: a
 * socket that flows reads by itself. For the STUN server that is 7 % of the CPU that a
 * request costs (docs/benchmarks.md).
 *
 * What has to wait, because the socket is paused or something is queued already, goes
 * through the stream as ever.
 */
export function onBytes (socket: Socket, receive: (chunk: Uint8Array) => void): void {
  const { push } = socket

  socket.on('data', receive)
  socket.push = (chunk, encoding) => {
    if (chunk === null || socket.readableFlowing !== true || socket.readableLength > 0) {
      return push.call(socket, chunk, encoding)
    }

    receive(chunk)

    return true
  }
}
