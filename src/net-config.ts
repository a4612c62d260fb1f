import os from 'node:os'
import path from 'node:path'
import { InvalidParametersError } from '@libp2p/interface'
import { getNetConfig } from '@libp2p/utils'
import { CODE_UNIX } from '@multiformats/multiaddr'
import { Unix } from '@multiformats/multiaddr-matcher'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * Where a multiaddr points: a Unix socket (a named pipe on Windows), or a host
 * (an address or a name) and a port. The family of a plain `/dns` is not known.
 */
export type NetConfig =
  { type: 'unix', path: string } |
  { type: 'tcp', host: string, port: number, family?: 4 | 6 }

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

  const { type, host, port } = getNetConfig(ma)

  if (port == null) {
    throw new InvalidParametersError(`Multiaddr ${ma} has no port`)
  }

  const family = type === 'ip4' || type === 'dns4' ? 4 : type === 'ip6' || type === 'dns6' ? 6 : undefined

  return { type: 'tcp', host, port, family }
}
