import { isIP } from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import { TCP } from '@multiformats/multiaddr-matcher'
import { InvalidArgumentError } from 'commander'
import { parseSTUNURI } from 'libp2p-tcp-stun/stun'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Endpoint } from 'libp2p-tcp-stun/net'

/**
 * The parsers of flags that can be there several times
 */
const LISTS = new Set<unknown>()

export function isList (parser: unknown): boolean {
  return LISTS.has(parser)
}

export function markAsList (parser: unknown): void {
  LISTS.add(parser)
}

/**
 * A whole number in a range, or a clear error
 */
export function wholeNumber (min: number, max: number): (text: string) => number {
  return text => {
    const value = Number(text)

    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`)
    }

    return value
  }
}

/**
 * `1.2.3.4:3478`, `[::]:3478` or a port alone, several times
 */
export function endpoint (text: string, previous: Endpoint[] = []): Endpoint[] {
  const [, bracketed, plain, port] = /^(?:(?:\[([^\]]*)\]|([^:]*)):)?(\d+)$/.exec(text) ?? []
  const host = bracketed ?? plain ?? '0.0.0.0'

  if (port == null || isIP(host) === 0 || Number(port) > 65_535) {
    throw new InvalidArgumentError('It must be an IP address and a port like 0.0.0.0:3478 or [::]:3478, or a port.')
  }

  return [...previous, { host, port: Number(port) }]
}

/**
 * The same once, a port alone is one of loopback
 */
export function loopbackEndpoint (text: string): Endpoint {
  return endpoint(/^\d+$/.test(text) ? `127.0.0.1:${text}` : text)[0]
}

/**
 * A STUN URI, several times
 */
export function stunURI (text: string, previous: string[] = []): string[] {
  try {
    return [...previous, parseSTUNURI(text).uri]
  } catch (err: any) {
    throw new InvalidArgumentError(err.message)
  }
}

/**
 * An IP address, several times
 */
export function ipAddress (text: string, previous: string[] = []): string[] {
  if (isIP(text) === 0) {
    throw new InvalidArgumentError('It must be an IP address like 203.0.113.1 or 2001:db8::1.')
  }

  return [...previous, text]
}

/**
 * A host name, several times
 */
export function hostName (text: string, previous: string[] = []): string[] {
  if (!/^[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?$/i.test(text)) {
    throw new InvalidArgumentError('It must be a host name like helper.example.org, without a port.')
  }

  return [...previous, text]
}

/**
 * A multiaddr of a TCP port, several times
 */
export function multiaddrs (text: string, previous: Multiaddr[] = []): Multiaddr[] {
  try {
    const address = multiaddr(text)

    if (TCP.exactMatch(address)) {
      return [...previous, address]
    }
  } catch {
    // said below
  }

  throw new InvalidArgumentError('It must be a multiaddr of a TCP port like /ip4/203.0.113.1/tcp/4001/p2p/12D3Koo...')
}

/**
 * A multiaddr of a TCP port, or of a name that has such in its TXT records, several
 * times
 */
export function peerAddresses (text: string, previous: Multiaddr[] = []): Multiaddr[] {
  if (text.startsWith('/dnsaddr/')) {
    try {
      return [...previous, multiaddr(text)]
    } catch {
      throw new InvalidArgumentError('It must be a name like /dnsaddr/bootstrap.libp2p.io.')
    }
  }

  return multiaddrs(text, previous)
}

/**
 * A multiaddr of a TCP port
 */
export function nodeAddress (text: string): Multiaddr {
  return multiaddrs(text)[0]
}

/**
 * A host and a port as `host:port`, as a multiaddr, several times
 */
export function helperAddress (text: string, previous: Multiaddr[] = []): Multiaddr[] {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:/\s]+)):(\d+)$/.exec(text) ?? []
  const host = bracketed ?? plain
  const version = isIP(host ?? '')

  if (host == null || Number(port) < 1 || Number(port) > 65_535 || (bracketed != null && version !== 6)) {
    throw new InvalidArgumentError(
      text.startsWith('/')
        ? 'It must be a host and a port. Multiaddrs go to --peer.'
        : 'It must be a host and a port like helper.example.org:4001 or [2001:db8::1]:4001.'
    )
  }

  return multiaddrs(`/${version === 0 ? 'dns' : `ip${version}`}/${host}/tcp/${port}`, previous)
}

for (const parser of [endpoint, hostName, stunURI, ipAddress, multiaddrs, peerAddresses, helperAddress]) {
  markAsList(parser)
}
