import { isIPv4, isIPv6 } from 'node:net'
import { domainToASCII } from 'node:url'
import { InvalidSTUNURIError } from './errors.ts'

/**
 * A STUN URI (RFC 7064): `stun:` is used over TCP, `stuns:` over TLS
 */
export interface STUNURI {
  /**
   * As it was written
   */
  uri: string

  scheme: 'stun' | 'stuns'

  transport: 'tcp' | 'tls'

  /**
   * A name in lower case, or an IP address without brackets
   */
  host: string

  port?: number
}

/**
 * RFC 8489, section 18.6
 */
export const DEFAULT_PORT = { stun: 3478, stuns: 5349 } as const

/**
 * Letters, digits, hyphens (underscores are seen too) in labels of up to 63
 */
const LABEL = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?'
const HOST_NAME = new RegExp(`^(?=.{1,253}$)${LABEL}(?:\\.${LABEL})*\\.?$`)

/**
 * @throws {InvalidSTUNURIError} says what is wrong and what to write
 */
export function parseSTUNURI (uri: string): STUNURI {
  const fail = (what: string): InvalidSTUNURIError => {
    return new InvalidSTUNURIError(`Invalid STUN URI ${JSON.stringify(uri)}: ${what}`)
  }

  if (typeof uri !== 'string') {
    throw fail('it must be a string like stun:stun.example.org')
  }

  const [, scheme, rest] = /^([a-z][a-z0-9+.-]*):(.*)$/is.exec(uri) ?? []
  const name = scheme?.toLowerCase()

  if (name === 'turn' || name === 'turns') {
    const stun = name.replace('turn', 'stun')
    throw fail(`a TURN URI is not a STUN URI. If the server also answers Binding requests, write ${stun}:${rest}`)
  }

  if (name !== 'stun' && name !== 'stuns') {
    const host = uri.replace(/^[a-z]*:\/\//i, '')
    const example = /^[\w.:[\]-]+$/.test(host) ? host : 'stun.example.org'
    throw fail(`it must begin with stun: or stuns:, like stun:${example}`)
  }

  if (rest.startsWith('//')) {
    throw fail(`a STUN URI has no slashes, write ${name}:${rest.slice(2)}`)
  }

  if (rest.includes('?')) {
    throw fail(/[?&]transport=udp\b/i.test(rest)
      ? 'STUN over UDP cannot tell the mapped address of a TCP port'
      : `it cannot have a query, write ${name}:${rest.split('?')[0]}`)
  }

  if (/[\s/@#\\]/.test(rest)) {
    throw fail('it must have only a host and a port')
  }

  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d*))?$/.exec(rest) ?? []

  if (bracketed == null && plain == null) {
    throw fail(isIPv6(rest)
      ? `an IPv6 address needs brackets, write ${name}:[${rest}]`
      : 'it must be host or host:port')
  }

  return {
    uri,
    scheme: name,
    transport: name === 'stuns' ? 'tls' : 'tcp',
    host: bracketed == null ? parseHost(plain, fail) : parseIPv6(bracketed, fail),
    ...(port == null ? {} : { port: parsePort(port, fail) })
  }
}

function parseHost (text: string, fail: (what: string) => Error): string {
  if (text === '') {
    throw fail('the host is missing')
  }

  // for plain names it would also read 010.1 as an address
  // eslint-disable-next-line no-control-regex
  const host = (/^[\x00-\x7f]*$/.test(text) ? text : domainToASCII(text)).toLowerCase()

  if (!HOST_NAME.test(host) || (/(^|\.)(\d+|0x[\da-f]*)\.?$/.test(host) && !isIPv4(host))) {
    throw fail(`${JSON.stringify(text)} is not a host name`)
  }

  return host
}

function parseIPv6 (text: string, fail: (what: string) => Error): string {
  if (text.includes('%')) {
    throw fail('an address with a zone is not reachable from outside')
  }

  if (!isIPv6(text)) {
    throw fail(`${JSON.stringify(text)} is not an IPv6 address`)
  }

  return text.toLowerCase()
}

function parsePort (text: string, fail: (what: string) => Error): number {
  const port = Number(text)

  if (text === '' || port < 1 || port > 65_535) {
    throw fail(`${JSON.stringify(text)} is not a port, 1 to 65535`)
  }

  return port
}
