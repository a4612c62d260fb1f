import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'

/**
 * Answer a request that has not become one for the HTTP server, and end the connection
 */
export function refuse (stream: Duplex, status: number): void {
  if (!stream.writable) {
    stream.destroy()
    return
  }

  stream.once('finish', () => { stream.destroy() })
  stream.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
