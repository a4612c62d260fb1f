import net from 'node:net'
import type { Socket } from 'node:net'

/**
 * Every socket reads into this, one after the other: what has come is used, or copied, before
 * the next one reads
 */
const BUFFER = new Uint8Array(65_536)

/**
 * What `onread` of `net.connect()` sets, which accepted sockets have no option for
 */
const ONREAD = findOnRead()

/**
 * Call `receive` with what a socket reads, as its `data` event would, but without its stream, and
 * without a new buffer of 64 KiB for each read, which Node makes and then cuts to what has come.
 * For the STUN server that is a tenth of the CPU that a request costs (docs/benchmarks.md).
 *
 * What was read before, as behind a PROXY header, comes from the stream. A Node that keeps the option
 * elsewhere has all come from the stream.
 *
 * The bytes are overwritten once `receive` has returned.
 */
export function onBytes (socket: Socket, receive: (chunk: Uint8Array) => void): void {
  const { _handle: handle } = socket as any
  socket.on('data', receive)

  if (ONREAD == null || typeof handle?.useUserBuffer !== 'function') {
    return
  }

  Object.assign(socket, {
    [ONREAD.buffer]: BUFFER,
    [ONREAD.callback]: (length: number) => {
      receive(BUFFER.subarray(0, length))
    }
  })
  handle.useUserBuffer(BUFFER)
}

function findOnRead (): { buffer: symbol, callback: symbol } | undefined {
  const buffer = new Uint8Array(1)
  const callback = (): boolean => true
  const socket: any = new net.Socket({ onread: { buffer, callback } })
  const symbols = Object.getOwnPropertySymbols(socket)
  const [ofBuffer, ofCallback] = [buffer, callback].map(value => symbols.find(symbol => socket[symbol] === value))

  return ofBuffer == null || ofCallback == null ? undefined : { buffer: ofBuffer, callback: ofCallback }
}
