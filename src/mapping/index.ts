/**
 * Holds the external address of one local TCP port, for any Node program.
 *
 * @example
 *
 * ```TypeScript
 * import net from 'node:net'
 * import { multiaddr } from '@multiformats/multiaddr'
 * import { PublicMapping } from 'libp2p-tcp-stun/mapping'
 *
 * const server = net.createServer()
 * server.listen({ host: '0.0.0.0', port: 4001, reusePort: true })
 *
 * const mapping = new PublicMapping({}, {
 *   listener: multiaddr('/ip4/0.0.0.0/tcp/4001'),
 *   stunServers: ['stun:stun.example.org', 'stun:stun.example.net']
 * })
 *
 * mapping.addEventListener('mapped', ({ detail }) => { console.info('dialable at', detail) })
 * await mapping.start()
 * ```
 *
 * @module libp2p-tcp-stun/mapping
 */

export { findConsensus } from './consensus.ts'
export * from './errors.ts'
export { toExternalAddress } from './external-address.ts'
export { requestInterval } from './keep-alive.ts'
export { DEFAULT_KEEP_ALIVE_INTERVAL } from './options.ts'
export { otherEndpoints } from './other-endpoints.ts'
export { PublicMapping } from './mapping.ts'
export type { Consensus, Observation } from './consensus.ts'
export type { BindOnceOptions } from './bind-once.ts'
export type { ExternalAddressOptions } from './external-address.ts'
export type { PublicMappingEvents } from './mapping.ts'
export type { MappingOptions, PublicMappingComponents, PublicMappingInit } from './options.ts'
export type { PortSample } from './port-samples.ts'
export type { AcquiringStatus, DirectStatus, EndpointDependentStatus, LostStatus, MappedStatus, MappingStatus, ServerFailure, UnsupportedStatus } from './status.ts'
export type { Clock, Timer } from '../runtime/clock.ts'
export type { DNS, SRVRecord } from '../runtime/dns.ts'
export type { Network } from '../runtime/network.ts'
export type { Random } from '../runtime/random.ts'
