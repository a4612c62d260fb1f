import { contactedHosts } from './contacted-hosts.ts'
import { bind, portSharing } from './port-sharing.ts'
import type { BindAddress, ConnectOptions, ServerOptions } from './bind.ts'
import type { Server, Socket } from 'node:net'

export interface BindOptions extends BindAddress {
  /**
   * Releases the socket if it is aborted before the socket is used
   */
  signal?: AbortSignal
}

/**
 * A TCP socket that has a local port and neither connects nor listens yet. Use it
 * once, with `connect` or with `listen`, or close it.
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
  listen(server: Server, options?: ServerOptions): void

  /**
   * Release the port. Does nothing once the socket is used.
   */
  close(): void
}

const inodes = new WeakMap<Server, number>()

/**
 * Bind a socket to a local port that other sockets of this process share. Where
 * the platform cannot share ports, the socket has the port to itself.
 *
 * The system lets any process of the same user share the port, so call
 * `assertPortFree` before you listen.
 *
 * @throws {Error} the system's error with its `code`: EADDRINUSE, EADDRNOTAVAIL, EACCES, EMFILE...
 * @throws {Error} the signal's reason
 */
export function bindSocket ({ signal, ...address }: BindOptions): BoundSocket {
  signal?.throwIfAborted()

  const bound = bind({ ...address, reusePort: portSharing(address) !== 'unsupported' })
  let used = false

  const use = (): void => {
    used = true
    signal?.removeEventListener('abort', close)
  }

  const close = (): void => {
    if (!used) {
      use()
      bound.close()
    }
  }

  signal?.addEventListener('abort', close)

  return {
    host: bound.host,
    port: bound.port,
    connect: options => {
      use()
      const socket = bound.connect(options)

      // nobody listens on a port that the system has just chosen
      if (address.port !== 0) {
        noteContact(address.port, socket, options.host)
      }

      return socket
    },
    listen: (server, options) => {
      use()

      if (bound.fd >= 0) {
        // on demand: node:fs brings much along
        inodes.set(server, process.getBuiltinModule('node:fs').fstatSync(bound.fd).ino)
      }

      bound.listen(server, options)
    },
    close
  }
}

/**
 * Not within `bindSocket`: the socket would keep all of its functions for as long as it lives
 */
function noteContact (port: number, socket: Socket, host = ''): void {
  contactedHosts.add(port, host)
  socket.on('lookup', (_err, host) => { contactedHosts.add(port, host) })
}

/**
 * The inode of the socket that the server last got from `BoundSocket.listen`: its
 * number in the kernel's lists
 */
export function inodeOf (server: Server): number | undefined {
  return inodes.get(server)
}

/**
 * Check that nobody listens on a port. Two listeners that share a port split its
 * connections between them, and neither gets an error. So bind without sharing: the
 * system refuses that while a socket listens.
 *
 * Found are listeners of any process and user in this network namespace, with or
 * without SO_REUSEPORT, on the same address and on every address that overlaps:
 * the unspecified address overlaps with all of its IP version, and an IPv6 listener
 * on `::` that also accepts IPv4 overlaps with all. A socket that is bound without
 * SO_REUSEADDR or connected without it counts as well, as for any listener.
 *
 * Not found are a process of the same user that listens with SO_REUSEPORT between
 * this call and our own `listen` or later, a socket that is bound and does not
 * listen yet, and a listener that is bound to a network interface. `ForeignListeners`
 * finds those once they listen.
 *
 * @throws {Error} the system's error with its `code`, EADDRINUSE when somebody listens
 */
export function assertPortFree ({ host, port, ipv6Only }: BindAddress): void {
  if (port !== 0) {
    bind({ host, port, ipv6Only, reusePort: false }).close()
  }
}
