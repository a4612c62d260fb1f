import { nodeLine } from '../helper/node-example.ts'
import type { HelperLimits } from '../helper/limits.ts'
import type { NodeSecrets } from '../helper/node-example.ts'
import type { Endpoint } from 'libp2p-tcp-stun/net'

/**
 * The limits of a helper, a line each, with the flag that changes them
 */
export function limitsText (limits: HelperLimits): string[] {
  const rows: Array<[what: string, value: string, flag?: string]> = [
    ['peers', count(limits.peers), '--max-peers'],
    ['peers of one address', count(limits.peersPerAddress), '--max-peers-per-address'],
    ['connections', count(limits.connections)],
    ['connections of one address', count(limits.connectionsPerAddress)],
    ['connections not upgraded yet', count(limits.pendingConnections)],
    ['new connections a second of one address', count(limits.newConnectionsPerSecond)],
    ['dials by AutoNAT at once', count(limits.dials)],
    ['relayed connections opened by one peer', count(limits.circuitsPerPeer)],
    ['bytes of a relayed connection', bytes(limits.relayBytes), '--relay-bytes'],
    ['duration of a relayed connection', duration(limits.relayDuration), '--relay-duration'],
    ['connections to the STUN server', count(limits.stunConnections)],
    ['registrations on the board', count(limits.registrations)],
    ['registrations of one address', count(limits.registrationsPerAddress)],
    ['open files needed', count(limits.descriptors)],
    ['memory with all peers', bytes(limits.memory)]
  ]

  return rows.map(([what, value, flag = '']) => `  ${what.padEnd(41)}${value.padStart(9)}  ${flag}`.trimEnd())
}

/**
 * 12345 as 12 345
 */
function count (value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ' ')
}

function bytes (value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let unit = 0

  while (value >= 1_024 && unit < units.length - 1) {
    value /= 1_024
    unit++
  }

  return `${Math.round(value * 10) / 10} ${units[unit]}`
}

function duration (ms: number): string {
  return ms % 60_000 === 0 ? `${count(ms / 60_000)} min` : `${ms / 1_000} s`
}

/**
 * What a node of this network is made with
 */
export function nodeText (addresses: string[], stun: Endpoint[], secrets: NodeSecrets): string {
  const readsFiles = secrets.networkKey != null || secrets.credential != null

  return [
    'A node of this network',
    "  import { createLibp2p } from 'libp2p'",
    "  import { helperConfig } from 'tcp-stun/config'",
    ...readsFiles ? ["  import { readFile } from 'node:fs/promises'"] : [],
    `  ${nodeLine(addresses, stun, secrets)}`
  ].join('\n')
}
