import { isIP } from 'node:net'
import { raceSignal } from 'race-signal'
import { systemDNS } from '../runtime/dns.ts'
import { STUNResolveError } from './errors.ts'
import { DEFAULT_PORT } from './uri.ts'
import type { STUNURI } from './uri.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { DNS } from '../runtime/dns.ts'
import type { Random } from '../runtime/random.ts'
import type { AbortOptions } from '@libp2p/interface'

/**
 * More SRV records than this are ignored: each target costs a lookup
 */
const MAX_SRV_TARGETS = 4

/**
 * More addresses than this of one server are not tried
 */
const MAX_ENDPOINTS = 8

export interface ResolveOptions extends AbortOptions {
  /**
   * The IP version of the addresses to look for
   */
  family: 4 | 6

  dns?: DNS
  random?: Random
}

/**
 * The endpoints of a STUN server, best first, at least one: the address and
 * port of the URI; a name without a port is looked up as SRV `_stun._tcp` or
 * `_stuns._tcp`, then as an address with the default port (RFC 8489, section 8).
 *
 * @throws {STUNResolveError} the name, or an address of this family, does not exist
 * @throws {AbortError} the signal was aborted
 */
export async function resolveServer (uri: STUNURI, options: ResolveOptions): Promise<Endpoint[]> {
  const { family, signal } = options
  const version = isIP(uri.host)

  if (version !== 0) {
    if (version !== family) {
      throw new STUNResolveError(`${uri.uri} is an IPv${version} address, an IPv${family} listener cannot use it`)
    }

    return [{ host: uri.host, port: uri.port ?? DEFAULT_PORT[uri.scheme] }]
  }

  // the lookup that is not needed ends with the one that is
  const done = new AbortController()
  const lookups = { ...options, signal: signal == null ? done.signal : AbortSignal.any([signal, done.signal]) }

  try {
    // both questions at once: an SRV record is rare, and the answer that there is
    // none must not cost a round trip
    const addresses = lookupEndpoints(uri, lookups)
    addresses.catch(() => {})
    const services = await lookupServices(uri, lookups)

    return services.length > 0 ? services : await addresses
  } finally {
    done.abort()
  }
}

/**
 * The endpoints that SRV records name
 */
async function lookupServices (uri: STUNURI, options: ResolveOptions): Promise<Endpoint[]> {
  const { family, signal, dns = systemDNS, random = Math.random } = options

  // a name of one label (localhost) is not in the DNS
  if (uri.port != null || !uri.host.includes('.')) {
    return []
  }

  const orNone = (): [] => {
    // a name may well have no SRV record, or its resolver not know the type
    signal?.throwIfAborted()
    return []
  }
  const records = await raceSignal(dns.resolveSrv(`_${uri.scheme}._tcp.${uri.host}`, { signal }), signal).catch(orNone)
  const usable = records.filter(({ name, port }) => port > 0 && name !== '')
  const targets = sortSRVRecords(usable, random).slice(0, MAX_SRV_TARGETS)
  const endpoints = await Promise.all(targets.map(async ({ name, port }) => {
    const hosts = await raceSignal(dns.lookup(name, family, { signal }), signal).catch(orNone)

    return hosts.map(host => ({ host, port }))
  }))

  return endpoints.flat().slice(0, MAX_ENDPOINTS)
}

/**
 * The endpoints that the name itself has
 */
async function lookupEndpoints (uri: STUNURI, options: ResolveOptions): Promise<Endpoint[]> {
  const { family, signal, dns = systemDNS } = options
  const { host: name, port = DEFAULT_PORT[uri.scheme] } = uri
  let hosts: string[]

  try {
    hosts = await raceSignal(dns.lookup(name, family, { signal }), signal)
  } catch (err: any) {
    signal?.throwIfAborted()
    const what = `Could not resolve the IPv${family} address of ${uri.uri}`
    throw new STUNResolveError(`${what}: ${err.code ?? err.message}`, { cause: err })
  }

  if (hosts.length === 0) {
    throw new STUNResolveError(`${uri.uri} has no IPv${family} address`)
  }

  return hosts.slice(0, MAX_ENDPOINTS).map(host => ({ host, port }))
}

/**
 * By priority, then at random by weight (RFC 2782, "Usage rules")
 */
function sortSRVRecords<T extends { priority: number, weight: number }> (records: T[], random: Random): T[] {
  return records
    .map(record => ({ record, order: Math.pow(random(), 1 / (record.weight + 0.01)) }))
    .sort((a, b) => a.record.priority - b.record.priority || b.order - a.order)
    .map(({ record }) => record)
}
