import net from 'node:net'
import type { ListenOptions, Server, Socket, SocketConnectOpts } from 'node:net'

export interface BindAddress {
  /**
   * A numeric IP address of this machine, or the unspecified address
   */
  host: string

  /**
   * The local port. With 0 the system chooses one.
   */
  port: number

  /**
   * Do not accept IPv4 connections on an IPv6 socket
   *
   * @default false
   */
  ipv6Only?: boolean
}

/**
 * The options of `net.connect`
 */
export type ConnectOptions = net.TcpNetConnectOpts

export type ServerOptions = Pick<ListenOptions, 'backlog'>

/**
 * A TCP socket with a local port. Call one of its methods, once.
 */
export interface BoundHandle {
  readonly host: string
  readonly port: number

  /**
   * The file descriptor, -1 on platforms where a socket has none
   */
  readonly fd: number

  connect(options: ConnectOptions): Socket
  listen(server: Server, options?: ServerOptions): void
  close(): void
}

/**
 * Binds a socket to a local port
 *
 * @throws {Error} the system's error with its `code`, ENOTSUP when the platform cannot do it
 */
export type Bind = (address: BindAddress & { reusePort: boolean }) => BoundHandle

/**
 * Binds with the public class of Node 24.20 and later
 */
export const bindBoundSocket: Bind = ({ host, port, ipv6Only, reusePort }) => {
  const bound = new net.BoundSocket({ host, port, ipv6Only, reusePort })
  const address = bound.address()

  return {
    host: address.address,
    port: address.port,
    fd: bound.fd(),
    connect: options => net.connect({ ...options, handle: bound } as SocketConnectOpts),
    listen: (server, options) => { server.listen(bound, options?.backlog) },
    close: () => { bound.close() }
  }
}
