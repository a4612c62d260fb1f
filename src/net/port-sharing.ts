import net from 'node:net'
import { bindHandle } from './bind-handle.ts'
import { bindBoundSocket } from './bind.ts'
import type { Bind, BindAddress, BoundHandle } from './bind.ts'

/**
 * How this platform shares a port:
 *
 * - `bound-socket`: with the public `net.BoundSocket`
 * - `handle`: with a handle of Node's own, where there is no `net.BoundSocket`
 * - `unsupported`: not at all. macOS and Windows have no SO_REUSEPORT that balances,
 * Deno and Bun do not pass it on.
 */
export type PortSharing = 'bound-socket' | 'handle' | 'unsupported'

/**
 * The errors of a system that does not know the option. Any other error, such as
 * EMFILE, says nothing about the platform.
 */
const UNSUPPORTED = new Set(['ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'ENOPROTOOPT'])

/**
 * The errors of a system without this address, or without this version of IP
 */
const NO_ADDRESS = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT'])

/**
 * The errors of a system that has no port to try with, or a sandbox that allows only
 * certain ports (Landlock, systemd's SocketBindAllow)
 */
const NO_PORT = new Set(['EADDRINUSE', 'EACCES', 'EPERM'])

const means = typeof net.BoundSocket === 'function' ? 'bound-socket' : 'handle'
export const bind: Bind = means === 'bound-socket' ? bindBoundSocket : bindHandle
let sharing: PortSharing | undefined

/**
 * What this platform can do. The system is asked until it gives an answer.
 *
 * @param wanted - the port that the caller is about to listen on. It is tried where no
 * other port can be had.
 * @throws {Error} the system's error when it gives none, for example EMFILE. A later call asks again.
 */
export function portSharing (wanted?: BindAddress): PortSharing {
  sharing ??= canSharePorts(bind, wanted) ? means : 'unsupported'

  return sharing
}

/**
 * While a socket listens with sharing, a second bind with sharing must work, as
 * STUN connections need it, and a bind without sharing must fail, as
 * `assertPortFree` needs it. A platform that ignores the option fails the first.
 *
 * @throws {Error} the system's error when that does not tell
 */
export function canSharePorts (bind: Bind, wanted?: BindAddress): boolean {
  const server = net.createServer()
  // `server.listening` says so before the event
  server.on('error', () => {})

  try {
    const listener = bindAny(bind, wanted)
    const { host, port } = listener
    const address = { host, port, ipv6Only: wanted?.ipv6Only }
    listener.listen(server)

    if (!server.listening) {
      throw new Error(`The system refused to listen on ${host}:${port}`)
    }

    return isBindable(bind, address, true) && !isBindable(bind, address, false)
  } catch (err: any) {
    if (UNSUPPORTED.has(err.code)) {
      return false
    }

    throw err
  } finally {
    server.close()
  }
}

function bindAny (bind: Bind, wanted?: BindAddress): BoundHandle {
  try {
    return bindLoopback(bind)
  } catch (err: any) {
    if (wanted == null || wanted.port === 0 || !NO_PORT.has(err.code)) {
      throw err
    }

    return bind({ ...wanted, reusePort: true })
  }
}

function bindLoopback (bind: Bind): BoundHandle {
  try {
    return bind({ host: '127.0.0.1', port: 0, reusePort: true })
  } catch (err: any) {
    if (!NO_ADDRESS.has(err.code)) {
      throw err
    }

    return bind({ host: '::1', port: 0, reusePort: true })
  }
}

function isBindable (bind: Bind, address: BindAddress, reusePort: boolean): boolean {
  try {
    bind({ ...address, reusePort }).close()

    return true
  } catch (err: any) {
    if (err.code === 'EADDRINUSE') {
      return false
    }

    throw err
  }
}
