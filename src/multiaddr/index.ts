/**
 * Between multiaddrs and hosts with ports, as `node:net` wants them.
 *
 * @example
 *
 * ```TypeScript
 * import { toMultiaddr, toNetConfig } from 'libp2p-tcp-stun/multiaddr'
 *
 * const ma = toMultiaddr({ host: '203.0.113.1', port: 4001 })
 * console.info(ma.toString(), toNetConfig(ma)) // /ip4/203.0.113.1/tcp/4001
 * ```
 *
 * @module libp2p-tcp-stun/multiaddr
 */

export { toIPEndpoint, toMultiaddr, toNetConfig } from './net-config.ts'
export type { Endpoint } from '../address/endpoint.ts'
export type { IPEndpoint, NetConfig, TCPConfig, UnixConfig } from './net-config.ts'
