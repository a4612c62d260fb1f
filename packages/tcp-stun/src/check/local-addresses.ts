import os from 'node:os'
import { addressScope } from 'libp2p-tcp-stun/net'
import type { AddressScope } from 'libp2p-tcp-stun/net'

export interface LocalAddress {
  host: string

  /**
   * The network interface that has it
   */
  interface: string

  scope: AddressScope
}

/**
 * The addresses of this machine that lead further than to the next cable
 */
export function localAddresses (version: 4 | 6): LocalAddress[] {
  return Object.entries(os.networkInterfaces())
    .flatMap(([name, addresses = []]) => addresses
      .filter(({ family }) => family === `IPv${version}`)
      .map(({ address }) => ({ host: address, interface: name, scope: addressScope(address) ?? 'reserved' })))
    .filter(({ scope }) => scope !== 'loopback' && scope !== 'link-local')
}
