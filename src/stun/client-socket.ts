import net from 'node:net'
import { bindSocket } from '../net/bound-socket.ts'
import { resetSocket } from '../net/reset-socket.ts'
import { STUNCertificateError, STUNConnectionError, STUNProtocolError } from './errors.ts'
import type { STUNClientInit } from './client-init.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { BoundSocket } from '../net/bound-socket.ts'
import type { TLSSocket } from 'node:tls'

/**
 * `socket` is read and written; `raw` is the TCP connection below its TLS, or the
 * same one
 */
export interface ClientSocket {
  socket: net.Socket
  raw: net.Socket
}

/**
 * Begin to connect to the server, from the local port if one is given
 *
 * @throws {STUNConnectionError} the local port is in use by a socket that does not share it
 * @throws the system's error: the local port cannot be bound, or a certificate of ours is wrong
 */
export function openSocket ({ server, local, tls: secure, keepAlive }: STUNClientInit): ClientSocket {
  const options = { host: server.host, port: server.port, noDelay: true }

  // loaded when it is needed: it takes as long as all of the transport. It throws before anything is sent.
  const tls = secure == null ? undefined : process.getBuiltinModule('node:tls')
  const secureContext = secure == null ? undefined : tls?.createSecureContext(secure)
  const raw = local == null
    ? net.connect(options)
    : bindLocal(local).connect(options)

  if (keepAlive != null && keepAlive >= 1_000) {
    raw.setKeepAlive(true, keepAlive)
  }

  if (secure == null || tls == null) {
    return { socket: raw, raw }
  }

  const socket = tls.connect({
    secureContext,
    socket: raw,
    host: server.host,
    // RFC 6066 has no addresses in the server name indication
    servername: secure.servername == null || net.isIP(secure.servername) !== 0 ? '' : secure.servername,
    // Node would close the connection, which leaves the port in TIME_WAIT. The
    // client checks `authorizationError` and resets it.
    rejectUnauthorized: false
  })

  return { socket, raw }
}

/**
 * The server is not to blame when the local port cannot be shared
 */
function bindLocal (local: Endpoint): BoundSocket {
  try {
    return bindSocket({ ...local, ipv6Only: net.isIPv6(local.host) })
  } catch (err: any) {
    if (err.code !== 'EADDRINUSE') {
      throw err
    }

    throw new STUNConnectionError(
      `The socket that has local port ${local.port} does not share it: let it listen with \`reusePort: true\``,
      { cause: err }
    )
  }
}

/**
 * @throws {STUNCertificateError} the certificate of the server is not trusted
 */
export function assertTrusted ({ socket, raw }: ClientSocket, server: string): void {
  if (isSecure(socket, raw) && !socket.authorized) {
    // a code, whatever its type says
    throw new STUNCertificateError(`The certificate of ${server} is not trusted: ${String(socket.authorizationError)}`)
  }
}

function isSecure (socket: net.Socket, raw: net.Socket): socket is TLSSocket {
  return socket !== raw
}

/**
 * The local endpoint while the connection lives
 */
export function localEndpoint ({ raw }: ClientSocket): Endpoint | undefined {
  return raw.localAddress == null || raw.localPort == null ? undefined : { host: raw.localAddress, port: raw.localPort }
}

/**
 * End the connection at once
 */
export function resetClientSocket ({ socket, raw }: ClientSocket): void {
  // nobody waits for the errors of a connection that is given up
  socket.on('error', () => {})

  if (socket === raw) {
    resetSocket(raw)
  } else {
    // Node crashes when the connection below a TLS session is reset
    socket.destroy()
    raw.destroy()
  }
}

export function isSystemError (err: any): err is NodeJS.ErrnoException {
  return err?.syscall != null || typeof err?.code === 'string'
}

/**
 * Why there is no connection to a server
 */
export function connectError (server: string, err: NodeJS.ErrnoException): Error {
  return err.code === 'ERR_SSL_WRONG_VERSION_NUMBER'
    ? new STUNProtocolError(`${server} does not speak TLS: the URI may have to begin with stun:`, { cause: err })
    : new STUNConnectionError(`Could not connect to ${server}: ${describeError(err)}`, { cause: err })
}

/**
 * An AggregateError of node:net (several addresses tried) has no message, and that of
 * OpenSSL names lines of its source code
 */
export function describeError (err: NodeJS.ErrnoException & { reason?: string }): string {
  if (err.code?.startsWith('ERR_SSL_') === true && err.reason != null) {
    return `TLS failed: ${err.reason}`
  }

  return err.code != null && !err.message.includes(err.code) ? `${err.code} ${err.message}` : err.message
}
