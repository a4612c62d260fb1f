import type { Socket } from 'node:net'

/**
 * Be given what a socket reads, as by its `data` event, but at once: a stream
 * makes a task for the next tick of each chunk, to see whether it should read
 * more, and a socket reads by itself until it is told to stop. That is a fifth
 * of what a short request costs.
 *
 * What must wait, because the socket is paused or something is queued already,
 * still goes through the stream.
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
