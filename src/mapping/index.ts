/**
 * Finds the public address of a TCP port of any Node program behind a NAT, and keeps it
 * for as long as the program runs.
 *
 * @example
 *
 * ```TypeScript
 * import { once } from 'node:events'
 * import http from 'node:http'
 * import { PublicMapping } from 'libp2p-tcp-stun/mapping'
 *
 * const server = http.createServer((request, response) => { response.end('hello') })
 * server.listen({ port: 8080, reusePort: true })
 * await once(server, 'listening')
 *
 * const mapping = new PublicMapping({ listener: server })
 *
 * mapping.addEventListener('mapped', ({ detail: { endpoint } }) => {
 *   console.info('public address', endpoint.host, endpoint.port)
 * })
 * mapping.addEventListener('lost', ({ detail }) => { console.info('no public address:', detail.state) })
 *
 * await mapping.start()
 * ```
 *
 * @module libp2p-tcp-stun/mapping
 */

export * from './errors.ts'
export { requestInterval } from './keep-alive.ts'
export { PublicMapping } from './mapping.ts'
export { DEFAULT_KEEP_ALIVE_INTERVAL } from '../constants.ts'
export { DEFAULT_STUN_SERVERS } from '../stun/default-servers.ts'
export { InvalidMappedAddressError } from '../stun/errors.ts'
export type { BindOnceOptions } from './bind-once.ts'
export type { AddressStatus, NoAddressStatus, PublicMappingEvents } from './events.ts'
export type { MappingListener } from './listening-endpoint.ts'
export type { MappingOptions, PublicMappingComponents, PublicMappingInit } from './options.ts'
export type { PortSample } from './port-samples.ts'
export type {
  AcquiringStatus, DirectStatus, EndpointDependentStatus, LostStatus, MappedStatus, MappingStatus, ServerFailure,
  UnsupportedStatus
} from './status.ts'
export type { Clock, Timer } from '../runtime/clock.ts'
export type { DNS, SRVRecord } from '../runtime/dns.ts'
export type { Network } from '../runtime/network.ts'
export type { Random } from '../runtime/random.ts'
