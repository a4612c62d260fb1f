import { CODE_DNSADDR, CODE_P2P_CIRCUIT, multiaddr } from '@multiformats/multiaddr'
import { MAX_ADDRESSES, MAX_DEPTH, lookUpDNSAddr, peerIdOf } from '../dnsaddr.ts'
import type { ResolveDNSAddrOptions } from '../dnsaddr.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * The address of a helper is not one that a node can use
 */
export class InvalidHelperAddressError extends Error {
  static name = 'InvalidHelperAddressError'
  name = 'InvalidHelperAddressError'
}

/**
 * The name servers could not be asked for the records of a helper
 */
export class HelperLookUpError extends Error {
  static name = 'HelperLookUpError'
  name = 'HelperLookUpError'
}

export interface Helpers {
  /**
   * How many helpers there are
   */
  ids: number

  /**
   * Their multiaddrs, each with a peer id
   */
  addresses: Multiaddr[]

  /**
   * URIs (RFC 7064)
   */
  stunServers: string[]
}

const EXAMPLE = '/dns4/helper.example.org/tcp/4001/p2p/12D3Koo...'
const LABEL = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?'
const HOST_NAME = new RegExp(`^(?=.{1,253}$)${LABEL}(?:\\.${LABEL})+\\.?$`, 'i')

/**
 * From what a user knows of helpers to what a node needs
 *
 * @throws {InvalidHelperAddressError} says what is wrong, and what to write
 * @throws {HelperLookUpError} the name servers do not answer
 */
export async function resolveHelpers (texts: string[], options: ResolveDNSAddrOptions = {}): Promise<Helpers> {
  const addresses = new Map<string, Multiaddr>()
  const stunServers = new Set<string>()

  for (const text of texts) {
    for (const address of await resolve(parse(text), options)) {
      addresses.set(address.toString(), address)
    }

    // may have SRV records
    if (HOST_NAME.test(text)) {
      stunServers.add(`stun:${text.toLowerCase()}`)
    }
  }

  if (addresses.size === 0) {
    throw new InvalidHelperAddressError(`A node needs the address of a helper, like ${EXAMPLE}`)
  }

  const all = [...addresses.values()]
  all.forEach(address => { stunServers.add(stunServer(address)) })

  return { ids: new Set(all.map(peerIdOf)).size, addresses: all, stunServers: [...stunServers] }
}

function parse (text: string): Multiaddr {
  if (typeof text !== 'string') {
    throw new InvalidHelperAddressError(`The address of a helper must be a text like ${EXAMPLE}, not ${text}`)
  }

  if (text === '') {
    throw new InvalidHelperAddressError(`The address of a helper is empty. Use one like ${EXAMPLE}`)
  }

  try {
    return multiaddr(HOST_NAME.test(text) ? `/dnsaddr/${text}` : text)
  } catch (err: any) {
    throw new InvalidHelperAddressError(
      `${JSON.stringify(text)} is neither a host name nor a multiaddr like ${EXAMPLE}: ${err.message}`,
      { cause: err }
    )
  }
}

async function resolve (address: Multiaddr, options: ResolveDNSAddrOptions, depth = 0): Promise<Multiaddr[]> {
  const name = address.getComponents().find(({ code }) => code === CODE_DNSADDR)?.value

  if (name == null) {
    check(address)
    return [address]
  }

  if (depth === MAX_DEPTH) {
    throw new InvalidHelperAddressError(`The dnsaddr records of ${name} refer to each other without end`)
  }

  const found = await lookUp(name, options)
  const wanted = peerIdOf(address)
  const resolved: Multiaddr[] = []

  for (const record of found.slice(0, MAX_ADDRESSES)) {
    for (const each of await resolve(record, options, depth + 1)) {
      if (wanted == null || wanted === peerIdOf(each)) {
        resolved.push(each)
      }
    }
  }

  if (resolved.length === 0) {
    throw new InvalidHelperAddressError(
      `${name} has no TXT records for a helper. Publish what the helper prints: ` +
        `_dnsaddr.${name} TXT "dnsaddr=${EXAMPLE}", or use that multiaddr`
    )
  }

  return resolved.slice(0, MAX_ADDRESSES)
}

/**
 * The multiaddrs in the TXT records of a name, if it has any
 */
async function lookUp (name: string, options: ResolveDNSAddrOptions): Promise<Multiaddr[]> {
  try {
    return await lookUpDNSAddr(name, options)
  } catch (err: any) {
    options.signal?.throwIfAborted()

    if (isMissing(err)) {
      return []
    }

    throw new HelperLookUpError(`The TXT records of _dnsaddr.${name} could not be read: ${err.message}`, { cause: err })
  }
}

/**
 * Whether the name servers have answered that there are no records
 */
function isMissing (err: any): boolean {
  const causes: any[] = Array.isArray(err.errors) ? err.errors : [err]

  return causes.some(({ code, name }) => code === 'ENOTFOUND' || code === 'ENODATA' || name === 'EmptyDNSAnswerError')
}

/**
 * Whether the address of a helper is found by its name, so that it may change
 */
export function hasName (text: string): boolean {
  return HOST_NAME.test(text) || text.startsWith('/dnsaddr/')
}

/**
 * What is known of helpers whose names cannot be looked up yet
 *
 * @param texts - as the user has named them
 * @param ids - how many there may be
 */
export function unknownHelpers (texts: string[], ids: number): Helpers {
  const names = texts.filter(hasName).map(text => text.replace(/^\/dnsaddr\//, '').replace(/\/.*/, '').toLowerCase())

  return { ids, addresses: [], stunServers: [...new Set(names.map(name => `stun:${name}`))] }
}

/**
 * @throws {InvalidHelperAddressError}
 */
function check (address: Multiaddr): void {
  if (peerIdOf(address) == null) {
    throw new InvalidHelperAddressError(
      `${address} has no peer id. Use the multiaddr that the helper prints, like ${EXAMPLE}`
    )
  }

  if (address.getComponents().some(({ code }) => code === CODE_P2P_CIRCUIT)) {
    throw new InvalidHelperAddressError(`${address} is a relayed address. Use that of the helper, like ${EXAMPLE}`)
  }
}

/**
 * The STUN server on the same machine
 */
function stunServer (address: Multiaddr): string {
  const [{ value = '' }] = address.getComponents()

  return `stun:${value.includes(':') ? `[${value}]` : value}`
}
