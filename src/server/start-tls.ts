import { TLSSocket } from 'node:tls'
import type { Connection } from './connection.ts'
import type { SecureContext } from 'node:tls'

export interface StartTLSInit {
  secureContext: SecureContext

  /**
   * How long the handshake may take, in ms
   */
  timeout: number

  /**
   * The handshake or the session failed, and the connection must end
   */
  onError(err: Error): void
}

/**
 * Begin TLS on a connection, as the server. From now on its stream is the TLS
 * session, which belongs to this connection and no other.
 *
 * @returns whether the handshake succeeded: `false` once the connection has closed
 */
export async function startTLS (
  connection: Connection,
  { secureContext, timeout, onError }: StartTLSInit
): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const session = new TLSSocket(connection.raw, { isServer: true, secureContext })
  const timer = setTimeout(() => { onError(new Error('the TLS handshake took too long')) }, timeout)
  const fail = (err: NodeJS.ErrnoException): void => {
    // an error of the system is one of the TCP connection: it is closed already
    if (err.syscall == null) {
      onError(err)
    } else {
      session.destroy()
    }
  }
  connection.stream = session

  // with TLS 1.2 a client could make the server repeat the handshake for ever
  session.disableRenegotiation()
  session.on('error', fail)
  // A TLSSocket without a tls.Server reports by this event alone what fails after
  // the handshake, a renegotiation or a forged record, and would stay open.
  session.on('_tlsError', fail)
  session.once('secure', () => { resolve(true) })
  session.once('close', () => { resolve(false) })

  try {
    return await promise
  } finally {
    clearTimeout(timer)
  }
}
