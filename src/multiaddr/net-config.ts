import os from 'node:os'
import path from 'node:path'
import { InvalidParametersError } from '@libp2p/interface'
import {
  CODE_DNS, CODE_DNS4, CODE_DNS6, CODE_IP4, CODE_IP6, CODE_IP6ZONE, CODE_TCP, CODE_UNIX, multiaddr
} from '@multiformats/multiaddr'
import { Unix } from '@multiformats/multiaddr-matcher'
import { isSameEndpoint } from '../address/endpoint.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * Where a multiaddr points: a Unix socket (a named pipe on Windows), or a host
 * (an address or a name) and a port. The family of a plain `/dns` is not known.
 */
export type NetConfig = UnixConfig | TCPConfig

export interface UnixConfig {
  type: 'unix'
  path: string
}

export interface TCPConfig {
  type: 'tcp'

  /**
   * An IP address or a name
   */
  host: string
  port: number
  family?: 4 | 6
}

export interface IPEndpoint extends Endpoint {
  family: 4 | 6
}

/**
 * What a host may be, and its family where that says it
 */
const FAMILIES = new Map<number, 4 | 6 | undefined>([
  [CODE_IP4, 4],
  [CODE_IP6, 6],
  [CODE_DNS, undefined],
  [CODE_DNS4, 4],
  [CODE_DNS6, 6]
])

/**
 * As a multiaddr: /ip4/1.2.3.4/tcp/3478 or /ip6/::1/tcp/3478
 */
export function toMultiaddr ({ host, port }: Endpoint): Multiaddr {
  return multiaddr(`/${host.includes(':') ? 'ip6' : 'ip4'}/${host}/tcp/${port}`)
}

/**
 * The IP address and port that a multiaddr begins with, `/ip4/1.2.3.4/tcp/5` or its
 * IPv6 form; none where it begins with anything else. What peers tell is read by
 * this: it never throws.
 */
export function toIPEndpoint (ma: Multiaddr): IPEndpoint | undefined {
  const [ip, tcp] = ma.getComponents()
  const port = Number(tcp?.value)

  if (ip?.value == null || tcp?.code !== CODE_TCP || !(port > 0)) {
    return
  }

  const { code, value: host } = ip

  if (code === CODE_IP4 || code === CODE_IP6) {
    return { host, port, family: code === CODE_IP4 ? 4 : 6 }
  }
}

/**
 * Whether two multiaddrs begin with the same IP address and port
 */
export function isSamePort (a: Multiaddr, b: Multiaddr): boolean {
  const [x, y] = [a, b].map(toIPEndpoint)

  return x != null && y != null && isSameEndpoint(x, y)
}

/**
 * @throws {InvalidParametersError} neither a Unix nor a TCP address
 */
export function toNetConfig (ma: Multiaddr): NetConfig {
  if (Unix.exactMatch(ma)) {
    const value = ma.getComponents().find(({ code }) => code === CODE_UNIX)?.value

    if (value == null) {
      throw new InvalidParametersError(`Multiaddr ${ma} has no path`)
    }

    return { type: 'unix', path: os.platform() === 'win32' ? path.join('\\\\.\\pipe\\', value) : value }
  }

  const [first, ...rest] = ma.getComponents()
  const [host, tcp] = first?.code === CODE_IP6ZONE ? rest : [first, ...rest]

  if (host?.value == null || !FAMILIES.has(host.code)) {
    throw new InvalidParametersError(`Multiaddr ${ma} does not begin with an IP address or a name`)
  }

  if (tcp?.code !== CODE_TCP) {
    throw new InvalidParametersError(`Multiaddr ${ma} has no port`)
  }

  return { type: 'tcp', host: host.value, port: Number(tcp.value), family: FAMILIES.get(host.code) }
}
