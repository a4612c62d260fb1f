import { parseProxyHeader } from './proxy-protocol.ts'
import type { ProxyHeader } from './proxy-protocol.ts'
import type { Socket } from 'node:net'

/**
 * Read the PROXY header that a trusted proxy sends first on each connection. The
 * bytes that follow it are put back into the socket, which is then paused.
 * The header may take `timeout` ms.
 *
 * @returns `undefined` when the connection closes before it
 * @throws {Error} the header is missing, malformed or late
 */
export async function readProxyHeader (
  socket: Socket,
  timeout: number
): Promise<Exclude<ProxyHeader, { type: 'incomplete' }> | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Exclude<ProxyHeader, { type: 'incomplete' }> | undefined>()
  let bytes: Uint8Array = new Uint8Array(0)

  const onClose = (): void => { resolve(undefined) }
  const onEnd = (): void => { reject(new Error('the connection ended before its PROXY header')) }
  const onData = (chunk: Uint8Array): void => {
    // bounded: the parser rejects what is longer than a header can be
    bytes = bytes.byteLength === 0 ? chunk : Buffer.concat([bytes, chunk])

    try {
      const header = parseProxyHeader(bytes)

      if (header.type === 'incomplete') {
        return
      }

      socket.off('data', onData)
      socket.pause()

      if (header.length < bytes.byteLength) {
        socket.unshift(bytes.subarray(header.length))
      }

      resolve(header)
    } catch (err) {
      reject(err)
    }
  }
  const timer = setTimeout(() => { reject(new Error('the PROXY header did not arrive in time')) }, timeout)

  socket.on('data', onData)
  socket.on('close', onClose)
  socket.on('end', onEnd)

  try {
    return await promise
  } finally {
    clearTimeout(timer)
    socket.off('data', onData)
    socket.off('close', onClose)
    socket.off('end', onEnd)
  }
}
