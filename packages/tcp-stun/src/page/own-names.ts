import { hostname } from 'node:os'
import {
  CODE_DNS, CODE_DNS4, CODE_DNS6, CODE_DNSADDR, CODE_SNI, multiaddr
} from '@multiformats/multiaddr'
import type { Libp2p } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

const NAMES = new Set([CODE_DNS, CODE_DNS4, CODE_DNS6, CODE_DNSADDR, CODE_SNI])

/**
 * The host names of a helper, in small letters: that of the machine, those in its addresses,
 * and others
 */
export function ownNames (addresses: string[], others: string[] = []): string[] {
  const names = [hostname(), ...addresses.flatMap(address => namesIn(multiaddr(address))), ...others]

  return [...new Set(names.map(name => name.toLowerCase()))]
}

/**
 * The same while a helper runs: AutoTLS gives it others
 */
export class OwnNames {
  private readonly node: Libp2p
  private readonly names: Set<string>

  constructor (node: Libp2p, others: string[]) {
    this.node = node
    this.names = new Set(ownNames([], others))
  }

  /**
   * The name must be in small letters
   */
  has (name: string): boolean {
    return this.names.has(name) ||
      this.node.getMultiaddrs().some(address => namesIn(address).some(own => own.toLowerCase() === name))
  }
}

function namesIn (address: Multiaddr): string[] {
  return address.getComponents().flatMap(({ code, value }) => NAMES.has(code) && value != null ? [value] : [])
}
