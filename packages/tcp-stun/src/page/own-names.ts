import { hostname } from 'node:os'
import { CODE_DNS, CODE_DNS4, CODE_DNS6, CODE_DNSADDR, CODE_SNI } from '@multiformats/multiaddr'
import type { Libp2p } from '@libp2p/interface'

const NAMES = new Set([CODE_DNS, CODE_DNS4, CODE_DNS6, CODE_DNSADDR, CODE_SNI])

/**
 * The host names of a helper: those that it announces, which may change, that of the
 * machine, and those that it was given
 */
export class OwnNames {
  private readonly node: Libp2p
  private readonly names: Set<string>

  constructor (node: Libp2p, names: string[]) {
    this.node = node
    this.names = new Set([hostname(), ...names].map(name => name.toLowerCase()))
  }

  /**
   * @param name - in small letters
   */
  has (name: string): boolean {
    return this.names.has(name) || this.node.getMultiaddrs().some(address =>
      address.getComponents().some(({ code, value }) => NAMES.has(code) && value?.toLowerCase() === name))
  }
}
