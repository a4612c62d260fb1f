import type { Limits } from 'libp2p-tcp-stun/server'

/**
 * What the clients of one process may always cost, in bytes: with a small share
 * a process would refuse them for the garbage of earlier ones
 */
export const MIN_MEMORY = 64 * 1024 * 1024

/**
 * The limits of each of several processes, so that together they keep the limits.
 * The kernel spreads connections at random, so one process may be full slightly
 * before the others.
 */
export function shareLimits (limits: Limits, processes: number): Limits {
  const share = (value: number): number => Math.ceil(value / processes)

  return {
    ...limits,
    maxConnections: share(limits.maxConnections),
    maxConnectionsPerAddress: share(limits.maxConnectionsPerAddress),
    maxConnectionsPerSubnet: share(limits.maxConnectionsPerSubnet),
    maxNewConnectionsPerSecond: share(limits.maxNewConnectionsPerSecond),
    maxMemory: Math.max(MIN_MEMORY, share(limits.maxMemory))
  }
}
