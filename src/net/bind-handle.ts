/**
 * Binds where Node has no `net.BoundSocket`: before 24.20. The same system calls
 * are behind `net._createServerHandle`, which is not public. Delete this file with
 * the support of Node 22.
 */
import net from 'node:net'
import { constants } from 'node:os'
import { getSystemErrorMap } from 'node:util'
import type { Bind } from './bind.ts'

/**
 * Node's own handle of a TCP socket. Methods return 0 or a negative errno.
 */
interface TCPHandle {
  readonly fd: number
  getsockname(out: Partial<net.AddressInfo>): number
  close(): void
}

interface HandleFactory {
  _createServerHandle?(address: string, port: number, addressType: 4 | 6, fd: number, flags: number): TCPHandle | number
}

/**
 * From libuv's uv.h, enum uv_tcp_flags
 */
const UV_TCP_IPV6ONLY = 1
const UV_TCP_REUSEPORT = 2

export const bindHandle: Bind = ({ host, port, ipv6Only, reusePort }) => {
  const flags = (reusePort ? UV_TCP_REUSEPORT : 0) | (ipv6Only === true ? UV_TCP_IPV6ONLY : 0)
  const handle = createHandle(host, port, flags)

  if (typeof handle === 'number') {
    throw systemError(handle, host, port)
  }

  // libuv reports EADDRINUSE on the next call that uses the socket
  const address: Partial<net.AddressInfo> = {}
  const errno = handle.getsockname(address)

  if (errno !== 0) {
    handle.close()
    throw systemError(errno, host, port)
  }

  return {
    host: address.address ?? host,
    port: address.port ?? port,
    fd: handle.fd,
    connect: options => {
      // Without `manualStart` Node reads before the socket is connected: ENOTCONN
      const init = { ...options, handle, manualStart: true } as unknown as net.SocketConstructorOpts

      return new net.Socket(init).connect(options)
    },
    listen: (server, options) => { server.listen(handle, options?.backlog) },
    close: () => { handle.close() }
  }
}

function createHandle (host: string, port: number, flags: number): TCPHandle | number {
  const { _createServerHandle: create } = net as HandleFactory

  return create?.(host, port, net.isIPv6(host) ? 6 : 4, -1, flags) ?? -constants.errno.ENOTSUP
}

function systemError (errno: number, host: string, port: number): NodeJS.ErrnoException {
  const [code, message] = getSystemErrorMap().get(errno) ?? ['UNKNOWN', 'unknown error']
  const err: NodeJS.ErrnoException = new Error(`bind ${code} ${host}:${port}: ${message}`)
  err.code = code
  err.errno = errno
  err.syscall = 'bind'

  return Object.assign(err, { address: host, port })
}
