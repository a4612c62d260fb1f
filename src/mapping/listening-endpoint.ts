import { Server, isIP, isIPv6 } from 'node:net'
import { InvalidParametersError } from '@libp2p/interface'
import { isMultiaddr, multiaddr } from '@multiformats/multiaddr'
import { TCP } from '@multiformats/multiaddr-matcher'
import { toNetConfig } from '../multiaddr/net-config.ts'
import { assertPortFree, bindSocket } from '../net/bound-socket.ts'
import { PortNotSharedError } from './errors.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * Where a program listens: a server of `node:net`, `node:http`, ... that listens
 * already, a multiaddr (`/ip4/0.0.0.0/tcp/4001`) or `0.0.0.0:4001` as text or an
 * object, or only a port, which means the one of all IPv4 addresses
 */
export type MappingListener = Server | Multiaddr | string | { host?: string, port: number }

/**
 * @throws {InvalidParametersError} it is no IP address and port, or the server does not listen yet
 */
export function toListeningEndpoint (listener: MappingListener): Endpoint {
  const { host, port } = readListener(listener)

  if (isIP(host) === 0) {
    throw new InvalidParametersError(
      `listener must have the IP address that is listened on, like 0.0.0.0 or 192.168.1.2, not ${JSON.stringify(host)}`
    )
  }

  if (port === 0) {
    throw new InvalidParametersError(
      'listener has port 0, for which the system chooses a port: listen first, then pass the server, or the port of ' +
        'its address()'
    )
  }

  if (!(Number.isInteger(port) && port > 0 && port <= 65_535)) {
    throw new InvalidParametersError(`listener must have a port from 1 to 65535, not ${port}`)
  }

  return { host, port }
}

function readListener (listener: MappingListener): Endpoint {
  if (listener instanceof Server) {
    return readServer(listener)
  }

  if (typeof listener === 'string') {
    return readText(listener)
  }

  if (isMultiaddr(listener)) {
    return readMultiaddr(listener)
  }

  if (listener == null || typeof listener !== 'object') {
    throw new InvalidParametersError(
      `listener must be a server that listens, an address like 0.0.0.0:4001, or { port: 4001 }, not ${String(listener)}`
    )
  }

  return { host: listener.host ?? '0.0.0.0', port: listener.port }
}

/**
 * A server on `::`, which is what Node listens on by default, accepts IPv4 too. Its IPv4
 * port is the one that is behind a NAT.
 */
function readServer (server: Server): Endpoint {
  const address = server.address()

  if (address == null) {
    throw new InvalidParametersError(
      'listener is a server that does not listen yet: wait for its \'listening\' event before you make the mapping'
    )
  }

  if (typeof address === 'string') {
    throw new InvalidParametersError(`listener is a server on ${address}, which is no TCP port`)
  }

  return address.address === '::' && acceptsIPv4(address.port)
    ? { host: '0.0.0.0', port: address.port }
    : { host: address.address, port: address.port }
}

/**
 * The system refuses to bind the port to all IPv4 addresses while anybody listens there
 */
function acceptsIPv4 (port: number): boolean {
  try {
    assertPortFree({ host: '0.0.0.0', port })

    return false
  } catch (err: any) {
    return err.code === 'EADDRINUSE'
  }
}

function readText (text: string): Endpoint {
  if (text.startsWith('/')) {
    return readMultiaddr(parseMultiaddr(text))
  }

  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d+)$/.exec(text) ?? []

  if (port == null) {
    throw new InvalidParametersError(
      isIPv6(text)
        ? `listener is an IPv6 address without a port: write [${text}]:4001`
        : 'listener must be an address like 0.0.0.0:4001, [::]:4001 or /ip4/0.0.0.0/tcp/4001, not ' +
            JSON.stringify(text)
    )
  }

  return { host: bracketed ?? plain, port: Number(port) }
}

function parseMultiaddr (text: string): Multiaddr {
  try {
    return multiaddr(text)
  } catch (err: any) {
    throw new InvalidParametersError(`listener is no multiaddr: ${err.message}`)
  }
}

function readMultiaddr (ma: Multiaddr): Endpoint {
  const config = TCP.exactMatch(ma) ? toNetConfig(ma) : undefined

  if (config?.type !== 'tcp') {
    throw new InvalidParametersError(`listener is ${ma}, which is no TCP port`)
  }

  return { host: config.host, port: config.port }
}

/**
 * A socket that listens without sharing its port keeps every STUN connection from using it
 *
 * @throws {PortNotSharedError} it does
 */
export function assertPortShared ({ host, port }: Endpoint): void {
  try {
    bindSocket({ host, port, ipv6Only: isIPv6(host) }).close()
  } catch (err: any) {
    // what else fails may pass: an address that is not there yet, too many open files
    if (err.code === 'EADDRINUSE') {
      throw new PortNotSharedError(
        `The server on port ${port} does not share it. It must listen with \`reusePort: true\`, as in ` +
          `server.listen({ port: ${port}, reusePort: true }), and run as the same user`
      )
    }
  }
}
