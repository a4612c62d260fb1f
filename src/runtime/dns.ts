import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'
import { HostsFile } from './hosts-file.ts'
import { SharedCalls } from './shared-calls.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { LookupAddress, ResolverOptions } from 'node:dns'
import type { Resolver } from 'node:dns/promises'

/**
 * A server's name and port as an SRV record gives them (RFC 2782)
 */
export interface SRVRecord {
  name: string
  port: number
  priority: number
  weight: number
}

/**
 * The source of addresses. Both methods reject with the system's error when there
 * is no answer, and with the signal's reason when it is aborted.
 */
export interface DNS {
  /**
   * The IPv4 or IPv6 addresses of a name
   */
  lookup(name: string, family: 4 | 6, options?: AbortOptions): Promise<string[]>

  /**
   * The SRV records of a name
   */
  resolveSrv(name: string, options?: AbortOptions): Promise<SRVRecord[]>
}

/**
 * How long to wait for one DNS server before the next one is asked, in ms, and how
 * often to ask all of them. SRV records are rare and optional, so a server that
 * drops the question is not asked twice.
 */
const LOOKUP = { timeout: 2_000, maxTimeout: 2_000, tries: 2 }
const SRV = { timeout: 1_500, maxTimeout: 1_500, tries: 1 }

/**
 * Errors after which the system may still know the name: there is no such name in
 * the DNS, or there is no DNS server
 */
const NOT_IN_DNS = ['ENOTFOUND', 'ECONNREFUSED']

const hostsFile = new HostsFile()
const lookups = new SharedCalls<string[]>()
let lastSystemLookup: Promise<unknown> = Promise.resolve()

/**
 * Looks names up without `dns.lookup`, which cannot be cancelled: with a DNS
 * server that does not answer it would keep one of the four threads that all
 * lookups of the process share, and the process, for up to a minute.
 */
export const systemDNS: DNS = {
  async lookup (name, family, { signal } = {}) {
    signal?.throwIfAborted()

    if (isIP(name) !== 0) {
      return isIP(name) === family ? [name] : Promise.reject(notFound(name))
    }

    return lookups.run(`${family} ${name}`, async signal => lookup(name, family, { signal }), signal)
  },

  async resolveSrv (name, options = {}) {
    return query(SRV, async resolver => resolver.resolveSrv(name), options)
  }
}

/**
 * The addresses of a name, of one IP version or (0) of both, IPv4 first. An IP
 * address is returned as it is.
 *
 * @throws the system's error: there is no address, or no DNS server has answered
 */
export async function resolveHost (name: string, family: 0 | 4 | 6, options?: AbortOptions): Promise<LookupAddress[]> {
  const families = family === 0 ? [4, 6] as const : [family]
  const results = await Promise.allSettled(families.map(async family =>
    (await systemDNS.lookup(name, family, options)).map(address => ({ address, family }))
  ))
  const addresses = results.flatMap(result => result.status === 'fulfilled' ? result.value : [])

  if (addresses.length > 0) {
    return addresses
  }

  options?.signal?.throwIfAborted()
  throw results.find(result => result.status === 'rejected')?.reason ?? notFound(name)
}

async function lookup (name: string, family: 4 | 6, options: Required<AbortOptions>): Promise<string[]> {
  const host = (domainToASCII(name) || name).toLowerCase().replace(/\.$/, '')
  const addresses = await hostsFile.lookup(host, family)

  if (addresses.length > 0) {
    return addresses
  }

  // never in the DNS (RFC 6761, section 6.3)
  if (host === 'localhost' || host.endsWith('.localhost')) {
    return [family === 4 ? '127.0.0.1' : '::1']
  }

  try {
    return await query(LOOKUP, async resolver => {
      return family === 4 ? resolver.resolve4(host) : resolver.resolve6(host)
    }, options)
  } catch (err: any) {
    options.signal.throwIfAborted()

    if (!NOT_IN_DNS.includes(err.code)) {
      throw err
    }

    return systemLookup(host, family, options)
  }
}

/**
 * Ask the DNS servers of the system, until the signal is aborted
 */
async function query<T> (
  limits: ResolverOptions, ask: (resolver: Resolver) => Promise<T>, { signal }: AbortOptions
): Promise<T> {
  const { Resolver } = await import('node:dns/promises')
  signal?.throwIfAborted()
  const resolver = new Resolver(limits)
  const cancel = (): void => { resolver.cancel() }
  signal?.addEventListener('abort', cancel)

  try {
    return await ask(resolver)
  } catch (err) {
    signal?.throwIfAborted()
    throw err
  } finally {
    signal?.removeEventListener('abort', cancel)
  }
}

/**
 * The system knows names that are not in the DNS: those of mDNS, and those that
 * its search domains complete. It cannot be cancelled, so it is asked for one name
 * at a time, and only when the DNS servers are known to answer or not to exist.
 */
async function systemLookup (name: string, family: 4 | 6, { signal }: Required<AbortOptions>): Promise<string[]> {
  const result = lastSystemLookup.then(async () => {
    const { lookup } = await import('node:dns/promises')
    signal.throwIfAborted()

    return lookup(name, { family, all: true })
  })
  lastSystemLookup = result.catch(() => {})

  return (await result).map(({ address }) => address)
}

function notFound (name: string): NodeJS.ErrnoException {
  const err = new Error(`getaddrinfo ENOTFOUND ${name}`)

  return Object.assign(err, { code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname: name })
}
