import { readFileSync } from 'node:fs'
import { endianness } from 'node:os'

/**
 * RTF_GATEWAY in Linux's route.h: the route leads through a router
 */
const GATEWAY = 0x2

const NONE = '0'.repeat(32)

/**
 * The router that this machine sends to what is not on its own links. Linux only:
 * elsewhere none is known.
 *
 * @returns an IPv6 address of a link with its zone, like `fe80::1%eth0`
 */
export function defaultGateway (version: 4 | 6): string | undefined {
  const [path, find] = version === 4
    ? ['/proc/net/route', findIPv4Gateway] as const
    : ['/proc/net/ipv6_route', findIPv6Gateway] as const

  try {
    // the kernel writes it meanwhile: to wait for another thread would take longer
    return find(readFileSync(path, 'latin1'))
  } catch {
    // not Linux, or no IPv6
  }
}

/**
 * /proc/net/route: interface, destination, gateway, flags, references, use, metric,
 * mask. The kernel prints each address as one number in the order of the machine.
 */
export function findIPv4Gateway (table: string, order = endianness()): string | undefined {
  const routes = rowsOf(table).flatMap(([, destination, gateway, flags, , , metric, mask]) => {
    const isDefault = destination === '00000000' && mask === '00000000'

    return isDefault && (Number.parseInt(flags, 16) & GATEWAY) !== 0
      ? [{ gateway: Buffer.from(gateway, 'hex'), metric: Number(metric) }]
      : []
  })
  const bytes = best(routes)?.gateway

  return bytes == null ? undefined : [...(order === 'LE' ? bytes.reverse() : bytes)].join('.')
}

/**
 * /proc/net/ipv6_route: destination and length of its prefix, source and length of
 * its prefix, next hop, metric, references, use, flags, interface. Numbers are
 * hexadecimal.
 */
export function findIPv6Gateway (table: string): string | undefined {
  const routes = rowsOf(table).flatMap(([destination, length, , , hop, metric, , , flags, device]) => {
    const isDefault = destination === NONE && length === '00' && hop !== NONE

    return isDefault && (Number.parseInt(flags, 16) & GATEWAY) !== 0
      ? [{ hop, device, metric: Number.parseInt(metric, 16) }]
      : []
  })
  const route = best(routes)

  if (route == null) {
    return
  }

  const groups = route.hop.match(/.{4}/g)?.join(':') ?? ''
  const host = new URL(`http://[${groups}]`).hostname.slice(1, -1)

  return host.startsWith('fe80:') ? `${host}%${route.device}` : host
}

function rowsOf (table: string): string[][] {
  return table.trim().split('\n').map(row => row.trim().split(/\s+/)).filter(row => row.length >= 8)
}

function best<T extends { metric: number }> (routes: T[]): T | undefined {
  return [...routes].sort((a, b) => a.metric - b.metric)[0]
}
