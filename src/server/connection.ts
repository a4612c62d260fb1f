import { unmapIPv4 } from '../address/ip.ts'
import { resetSocket } from '../net/reset-socket.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { Socket } from 'node:net'

/**
 * A client's TCP connection, from accept to close. This object is its identity:
 * addresses are read once, when it is accepted, because a socket that was reset
 * has forgotten them.
 */
export class Connection {
  /**
   * The TCP connection
   */
  readonly raw: Socket

  /**
   * What messages are read from: the TCP connection or the TLS session on it
   */
  stream: Socket

  /**
   * Where the client is: the peer of the TCP connection, or the source that a
   * PROXY header names
   */
  client: Endpoint

  /**
   * The address and port that the client connected to
   */
  server: Endpoint

  /**
   * Whether a proxy is in between
   */
  isProxied = false

  /**
   * Whether the server has ended it
   */
  dropped = false

  constructor (raw: Socket, client: Endpoint, server: Endpoint) {
    this.raw = raw
    this.stream = raw
    this.client = client
    this.server = server
  }

  /**
   * A proxy has named the client and the address that it connected to
   */
  proxied (client: Endpoint, server: Endpoint): void {
    this.client = client
    this.server = server
    this.isProxied = true
  }

  /**
   * End it now: by a reset, which leaves no TIME_WAIT, unless it carries TLS
   */
  drop (): void {
    this.dropped = true

    if (this.stream === this.raw) {
      resetSocket(this.raw)
    } else {
      // resetting the TCP connection below a TLS session crashes Node 24
      this.stream.destroy()
    }
  }
}

/**
 * The connection that a listener has accepted
 *
 * @returns `undefined` when the client has reset it already
 */
export function accept (raw: Socket): Connection | undefined {
  const { remoteAddress, remotePort, localAddress, localPort } = raw
  // the socket closes by itself after an error
  raw.on('error', () => {})

  if (remoteAddress == null || remotePort == null || localAddress == null || localPort == null) {
    return
  }

  return new Connection(
    raw,
    { host: unmapIPv4(remoteAddress), port: remotePort },
    { host: unmapIPv4(localAddress), port: localPort }
  )
}
