import { parseProxyHeader } from './proxy-protocol.ts'
import type { ProxyHeader } from './proxy-protocol.ts'
import type { Socket } from 'node:net'

/**
 * Read the PROXY header that a trusted proxy begins each connection with. What
 * follows it is put back into the socket, which is paused then.
 */
export function readProxyHeader (socket: Socket, timeout: number, onHeader: (header: Exclude<ProxyHeader, { type: 'incomplete' }>) => void, onError: (err: Error) => void): void {
  let bytes: Uint8Array = new Uint8Array(0)

  const stop = (): void => {
    clearTimeout(timer)
    socket.off('data', onData)
    socket.off('close', stop)
    socket.off('end', onEnd)
  }
  const fail = (err: Error): void => {
    stop()
    onError(err)
  }
  const onEnd = (): void => { fail(new Error('the connection ended before its PROXY header')) }
  const onData = (chunk: Uint8Array): void => {
    // bounded: the parser refuses what is longer than a header can be
    bytes = bytes.byteLength === 0 ? chunk : Buffer.concat([bytes, chunk])

    try {
      const header = parseProxyHeader(bytes)

      if (header.type !== 'incomplete') {
        stop()
        socket.pause()

        if (header.length < bytes.byteLength) {
          socket.unshift(bytes.subarray(header.length))
        }

        onHeader(header)
      }
    } catch (err: any) {
      fail(err)
    }
  }
  const timer = setTimeout(() => { fail(new Error('no PROXY header in time')) }, timeout)

  socket.on('data', onData)
  socket.on('close', stop)
  socket.on('end', onEnd)
}
