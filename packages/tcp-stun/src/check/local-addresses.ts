import os from 'node:os'
import { addressScope } from 'libp2p-tcp-stun/net'
import type { AddressScope } from 'libp2p-tcp-stun/net'

export interface LocalAddress {
  host: string

  /**
   * The name of its network interface
   */
  interface: string

  scope: AddressScope
}

/**
 * The addresses of this machine that reach beyond its own links, or those of its links
 * when there are no others
 */
export function localAddresses (version: 4 | 6): LocalAddress[] {
  const addresses = Object.entries(os.networkInterfaces())
    .flatMap(([name, addresses = []]) => addresses
      .filter(({ family }) => family === `IPv${version}`)
      .map(({ address }) => ({ host: address, interface: name, scope: addressScope(address) ?? 'reserved' })))
    .filter(({ scope }) => scope !== 'loopback')
  const reaching = addresses.filter(({ scope }) => scope !== 'link-local')

  return reaching.length > 0 ? reaching : addresses
}
