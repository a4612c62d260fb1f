import type { Socket } from 'node:net'
import type { TLSSocket, TLSSocketOptions } from 'node:tls'

/**
 * For each record OpenSSL allocates a buffer for the largest one, 16 KiB by default, which is
 * a twelfth of the CPU that a STUN response takes. With 512 bytes and what is added to them the
 * C library finds one in its cache.
 */
const SHORT_RECORD = 512

export interface StartTLSInit extends TLSSocketOptions {
  /**
   * How long the handshake may take, in ms
   */
  timeout: number

  /**
   * The handshake or the session failed, and the connection must end
   */
  onError(err: Error): void

  /**
   * Whether little is sent at a time, some 100 bytes
   *
   * @default false
   */
  isTerse?: boolean
}

export interface TLSSession {
  /**
   * Carries the plain text in place of the socket
   */
  stream: TLSSocket

  /**
   * Whether the handshake succeeded: `false` once the connection has closed
   */
  secured: Promise<boolean>
}

/**
 * Begin TLS on an accepted connection, as the server
 */
export function startTLS (socket: Socket, { timeout, onError, isTerse = false, ...options }: StartTLSInit): TLSSession {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  // on demand: it takes as long to load as a whole transport
  const { TLSSocket } = process.getBuiltinModule('node:tls')
  const stream = new TLSSocket(socket, { ...options, isServer: true })
  // a client that has sent its last bytes cannot finish the handshake
  const onEnd = (): void => { onError(new Error('the connection ended in the TLS handshake')) }
  const timer = setTimeout(() => { onError(new Error('the TLS handshake took too long')) }, timeout)
  const settle = (succeeded: boolean): void => {
    clearTimeout(timer)
    stream.off('end', onEnd)
    resolve(succeeded)
  }
  const fail = (err: NodeJS.ErrnoException): void => {
    // an error of the system is one of the TCP connection: it is closed already
    if (err.syscall == null) {
      onError(err)
    } else {
      stream.destroy()
    }
  }

  // with TLS 1.2 a client could make the server repeat the handshake for ever
  stream.disableRenegotiation()
  stream.on('error', fail)
  // A TLSSocket without a tls.Server reports by this event alone what fails after
  // the handshake, a renegotiation or a forged record, and would stay open.
  stream.on('_tlsError', fail)
  stream.once('secure', () => {
    if (isTerse) {
      stream.setMaxSendFragment(SHORT_RECORD)
    }

    settle(true)
  })
  stream.once('end', onEnd)
  stream.once('close', () => { settle(false) })

  return { stream, secured: promise }
}
