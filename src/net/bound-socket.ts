/**
 * Sockets that share a local TCP port: the only file that knows how Node does it.
 *
 * Node 24.20 and later have a public class for it, `net.BoundSocket`. Earlier
 * releases have the same system calls behind `net._createServerHandle`. When
 * Node 22 goes, everything from "Without net.BoundSocket" down goes with it.
 */
import net from 'node:net'
import { getSystemErrorMap } from 'node:util'
import type { ListenOptions, Server, Socket, SocketConnectOpts } from 'node:net'

/**
 * How this platform shares a port:
 *
 * - `bound-socket`: by the public `net.BoundSocket`
 * - `handle`: by a bound handle of Node's own, where there is no `net.BoundSocket`
 * - `unsupported`: not at all, the system has no SO_REUSEPORT that balances (macOS, Windows)
 */
export type PortSharing = 'bound-socket' | 'handle' | 'unsupported'

export interface BindOptions {
  /**
   * A numeric IP address of this machine, or the unspecified address
   */
  host: string

  /**
   * The local port, 0 to let the system choose
   */
  port: number

  /**
   * Do not accept IPv4 on an IPv6 socket
   *
   * @default false
   */
  ipv6Only?: boolean

  /**
   * Releases the socket if it is aborted before the socket is used
   */
  signal?: AbortSignal
}

/**
 * As for `net.connect`
 */
export type ConnectOptions = net.TcpNetConnectOpts

/**
 * A TCP socket that has a local port and neither connects nor listens yet. It
 * can be used once, by `connect` or by `listen`; one that is not used must be
 * closed.
 */
export interface BoundSocket {
  readonly host: string
  readonly port: number

  /**
   * Connect from the local port. Errors arrive as the socket's `error` event:
   * EADDRNOTAVAIL when this port already has a connection to that endpoint.
   */
  connect(options: ConnectOptions): Socket

  /**
   * Let the server listen on the local port
   */
  listen(server: Server, options?: Pick<ListenOptions, 'backlog'>): void

  /**
   * Release the port. Does nothing once the socket is used.
   */
  close(): void
}

type Bind = (options: BindOptions & { reusePort: boolean }) => BoundSocket

const bind: Bind = typeof net.BoundSocket === 'function' ? bindBoundSocket : bindHandle
let sharing: PortSharing | undefined

/**
 * What the platform can do, asked of the system once
 */
export function portSharing (): PortSharing {
  if (sharing == null) {
    try {
      bind({ host: '127.0.0.1', port: 0, reusePort: true }).close()
      sharing = bind === bindBoundSocket ? 'bound-socket' : 'handle'
    } catch {
      sharing = 'unsupported'
    }
  }

  return sharing
}

/**
 * Bind a socket to a local port that others of this process share. Where the
 * platform cannot share ports the socket has the port for itself.
 *
 * The system lets *any* process of this user share the port, so a listener
 * calls `assertPortFree` first.
 *
 * @throws the system's error, with its `code`: EADDRINUSE, EADDRNOTAVAIL, EACCES...
 */
export function bindSocket (options: BindOptions): BoundSocket {
  options.signal?.throwIfAborted()

  const socket = bind({ ...options, reusePort: portSharing() !== 'unsupported' })
  options.signal?.addEventListener('abort', socket.close, { once: true })

  return {
    host: socket.host,
    port: socket.port,
    connect: (connectOptions) => {
      options.signal?.removeEventListener('abort', socket.close)

      return socket.connect(connectOptions)
    },
    listen: (server, listenOptions) => {
      options.signal?.removeEventListener('abort', socket.close)
      socket.listen(server, listenOptions)
    },
    close: () => {
      options.signal?.removeEventListener('abort', socket.close)
      socket.close()
    }
  }
}

/**
 * Two listeners that share a port would silently split its connections between
 * them: ask for the port without sharing first, which only works while nobody
 * listens on it.
 *
 * @throws the system's error with code EADDRINUSE when someone listens
 */
export function assertPortFree (options: BindOptions): void {
  if (options.port === 0) {
    return
  }

  bind({ ...options, reusePort: false }).close()
}

function bindBoundSocket (options: BindOptions & { reusePort: boolean }): BoundSocket {
  const { host, port, ipv6Only, reusePort } = options
  const bound = new net.BoundSocket({ host, port, ipv6Only, reusePort })
  const address = bound.address() as net.AddressInfo
  let used = false

  return {
    host: address.address,
    port: address.port,
    connect: (options) => {
      used = true

      return net.connect({ ...options, handle: bound } as SocketConnectOpts)
    },
    listen: (server, options) => {
      used = true
      server.listen(bound, options?.backlog)
    },
    close: () => {
      if (!used) {
        used = true
        bound.close()
      }
    }
  }
}

// Without net.BoundSocket

/**
 * Node's own handle of a TCP socket: methods return 0 or a negative errno
 */
interface TCPHandle {
  getsockname(out: Partial<net.AddressInfo>): number
  close(): void
}

interface HandleFactory {
  _createServerHandle(address: string, port: number, addressType: 4 | 6, fd: number, flags: number): TCPHandle | number
}

/**
 * From libuv's uv.h, enum uv_tcp_flags
 */
const UV_TCP_IPV6ONLY = 1
const UV_TCP_REUSEPORT = 2

function bindHandle (options: BindOptions & { reusePort: boolean }): BoundSocket {
  const { host, port, ipv6Only, reusePort } = options
  const flags = (reusePort ? UV_TCP_REUSEPORT : 0) | (ipv6Only === true ? UV_TCP_IPV6ONLY : 0)
  const handle = (net as unknown as HandleFactory)._createServerHandle(host, port, net.isIPv6(host) ? 6 : 4, -1, flags)

  if (typeof handle === 'number') {
    throw systemError(handle, host, port)
  }

  // libuv keeps EADDRINUSE back until the next call on the socket
  const address: Partial<net.AddressInfo> = {}
  const errno = handle.getsockname(address)

  if (errno !== 0) {
    handle.close()
    throw systemError(errno, host, port)
  }

  let used = false

  return {
    host: address.address ?? host,
    port: address.port ?? port,
    connect: (options) => {
      used = true

      // without `manualStart` Node reads from the socket before it connects: ENOTCONN
      const init = { ...options, handle, manualStart: true } as unknown as net.SocketConstructorOpts

      return new net.Socket(init).connect(options)
    },
    listen: (server, options) => {
      used = true
      server.listen(handle, options?.backlog)
    },
    close: () => {
      if (!used) {
        used = true
        handle.close()
      }
    }
  }
}

function systemError (errno: number, host: string, port: number): NodeJS.ErrnoException {
  const [code, message] = getSystemErrorMap().get(errno) ?? ['UNKNOWN', 'unknown error']
  const err: NodeJS.ErrnoException = new Error(`bind ${code} ${host}:${port}: ${message}`)
  err.code = code
  err.errno = errno
  err.syscall = 'bind'

  return Object.assign(err, { address: host, port })
}
