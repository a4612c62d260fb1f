import { isIPv6 } from 'node:net'
import os from 'node:os'
import { pEvent } from 'p-event'
import { subnetOf } from '../address/ip.ts'
import { isLoopback } from '../address/scope.ts'
import type { Endpoint } from '../address/endpoint.ts'

/**
 * The source of the system's routes
 */
export interface Network {
  /**
   * The local address that a connection to this endpoint would have now;
   * `undefined` when there is no route to it. The host is an IP address.
   */
  localAddress(remote: Endpoint): Promise<string | undefined>
}

/**
 * An answer holds for this many ms: the mappings of a thousand listeners ask for
 * the routes to the same servers
 */
const FRESH = 1_000

const known = new Map<string, { since: number, address: Promise<string | undefined> }>()

export const systemNetwork: Network = {
  async localAddress (remote) {
    const { host } = remote
    const now = performance.now()

    for (const [other, { since }] of known) {
      if (now - since >= FRESH) {
        known.delete(other)
      }
    }

    const entry = known.get(host) ?? { since: now, address: findLocalAddress(remote) }
    known.set(host, entry)

    return entry.address
  }
}

/**
 * Connecting a UDP socket makes the system choose a route, and sends nothing
 */
async function findLocalAddress ({ host, port }: Endpoint): Promise<string | undefined> {
  const { createSocket } = await import('node:dgram')
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')

  try {
    const connected = pEvent(socket, 'connect')
    socket.connect(port, host)
    await connected

    return socket.address().address
  } catch {
    // no route
  } finally {
    socket.close()
  }
}

/**
 * Whether an address is one of this machine. TCP would connect a port to itself
 * when it dials its own number there.
 */
export function isOwnAddress (host: string): boolean {
  return isLoopback(host) || interfaceAddresses().some(({ address }) => address === host)
}

/**
 * Whether a host is in a network that this machine is in. There is no router on the
 * way to it, so no NAT either.
 */
export function isOnLink (host: string): boolean {
  return interfaceAddresses().some(({ address, cidr, family }) => {
    const prefix = Number(cidr?.split('/')[1])

    return (family === 'IPv6') === isIPv6(host) && Number.isInteger(prefix) &&
      subnetOf(host, { ipv4: prefix, ipv6: prefix }) === subnetOf(address, { ipv4: prefix, ipv6: prefix })
  })
}

function interfaceAddresses (): os.NetworkInterfaceInfo[] {
  return Object.values(os.networkInterfaces()).flatMap(addresses => addresses ?? [])
}
