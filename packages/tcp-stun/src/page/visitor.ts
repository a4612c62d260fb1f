import { isIP } from 'node:net'
import { isLoopback } from 'libp2p-tcp-stun/net'
import type { IncomingHttpHeaders } from 'node:http'

/**
 * A request, as far as it says who has sent it
 */
export interface Request {
  url: string
  httpVersion: string
  headers: IncomingHttpHeaders
  remoteAddress: string
}

/**
 * Who has sent a request. `foreign` is a page of another site, or comes by a host name that
 * is not the helper's, as in DNS rebinding: nothing is answered. `everybody` is anybody who
 * can reach the port, `machine` a program or a user of the helper's own machine.
 */
export type Visitor = 'foreign' | 'everybody' | 'machine'

export interface VisitorRules {
  /**
   * Whether the helper has this host name, in small letters
   */
  isOwnName(name: string): boolean

  /**
   * Whether connections from an address come from a load balancer
   */
  isProxy(host: string): boolean
}

/**
 * What a reverse proxy adds
 */
const PROXY_HEADERS = ['forwarded', 'via', 'x-forwarded-for', 'x-real-ip']

/**
 * Who has sent a request
 */
export function visitorOf (request: Request, rules: VisitorRules): Visitor {
  const { host } = request.headers
  const name = host == null ? undefined : nameOf(host)

  // no browser leaves it out
  if (host != null && (name == null || !isOwn(name, rules))) {
    return 'foreign'
  }

  if (isFromAnotherSite(request)) {
    return 'foreign'
  }

  return name != null && isLocalName(name) && isFromMachine(request, rules) ? 'machine' : 'everybody'
}

/**
 * Whether the connection comes from the helper's own machine, and from no proxy on it
 */
export function isFromMachine ({ remoteAddress, httpVersion, headers }: Request, { isProxy }: VisitorRules): boolean {
  return isLoopback(remoteAddress) && !isProxy(remoteAddress) &&
    // nginx speaks it to the servers behind it, and may send no header of its own
    httpVersion !== '1.0' &&
    PROXY_HEADERS.every(name => headers[name] == null)
}

/**
 * The name or the address in a Host header, in small letters and without brackets
 */
function nameOf (host: string): string | undefined {
  const [, address, name] = /^(?:\[([\da-f:.]+)\]|([\w.-]{1,253}?)\.?)(?::\d{1,5})?$/i.exec(host) ?? []

  return address != null && isIP(address) !== 6 ? undefined : (address ?? name)?.toLowerCase()
}

/**
 * DNS rebinding needs a name that somebody else's DNS server answers: an address is none
 */
function isOwn (name: string, { isOwnName }: VisitorRules): boolean {
  return isIP(name) !== 0 || isLocalName(name) || isOwnName(name)
}

function isLocalName (name: string): boolean {
  return name === 'localhost' || (isIP(name) !== 0 && isLoopback(name))
}

function isFromAnotherSite ({ headers, url }: Request): boolean {
  const { origin, host } = headers

  if (origin != null && origin !== `http://${host}` && origin !== `https://${host}`) {
    return true
  }

  const site = headers['sec-fetch-site']
  const isLink = url === '/' && headers['sec-fetch-mode'] === 'navigate'

  return site != null && site !== 'same-origin' && site !== 'none' && !isLink
}
