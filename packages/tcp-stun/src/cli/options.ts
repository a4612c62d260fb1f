import { isIP } from 'node:net'
import { InvalidArgumentError } from 'commander'
import { parseSTUNURI } from 'libp2p-tcp-stun/stun'
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
 * Any text, several times
 */
export function texts (text: string, previous: string[] = []): string[] {
  return [...previous, text]
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

for (const parser of [endpoint, hostName, stunURI, ipAddress]) {
  markAsList(parser)
}
