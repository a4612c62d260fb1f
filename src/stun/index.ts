/**
 * STUN over TCP and TLS (RFC 8489): messages, framing, one client connection, and what several
 * servers say together (RFC 5780).
 *
 * @example
 *
 * ```TypeScript
 * import { STUNClient, parseSTUNURI, resolveServer } from 'libp2p-tcp-stun/stun'
 *
 * const [server] = await resolveServer(parseSTUNURI('stun:stun.example.org'), { family: 4 })
 * const client = new STUNClient({ server })
 * await client.connect()
 * console.info((await client.request()).mapped)
 * client.close()
 * ```
 *
 * @module libp2p-tcp-stun/stun
 */

export { ATTRIBUTE_CODES, attributeCode, isComprehensionRequired } from './attributes.ts'
export { STUNClient } from './client.ts'
export { findConsensus } from './consensus.ts'
export { DEFAULT_STUN_SERVERS } from './default-servers.ts'
export * from './decoder.ts'
export * from './errors.ts'
export { toExternalAddress } from './external-address.ts'
export { checkFingerprint } from './fingerprint.ts'
export { checkIntegrity, shortTermKey } from './integrity.ts'
export * from './message.ts'
export { openClient } from './open-client.ts'
export { otherEndpoints } from './other-endpoints.ts'
export { resolveServer } from './resolve.ts'
export * from './uri.ts'
export { DEFAULT_KEEP_ALIVE_INTERVAL } from '../constants.ts'
export { systemDNS } from '../runtime/dns.ts'
export type { AddressAttribute, BytesAttribute, TextAttribute } from './attribute-codecs.ts'
export type { Attribute, AttributeType, UnknownAttribute } from './attributes.ts'
export type { STUNClientEvents } from './client.ts'
export type { STUNClientInit, STUNCredential } from './client-init.ts'
export type { BindingResult } from './binding-result.ts'
export type { Consensus, Observation } from './consensus.ts'
export type { ExternalAddressOptions } from './external-address.ts'
export type { Endpoint } from '../address/endpoint.ts'
export type { OpenClientInit, OpenedClient } from './open-client.ts'
export type { ResolveOptions } from './resolve.ts'
export type { Clock, Timer } from '../runtime/clock.ts'
export type { DNS, SRVRecord } from '../runtime/dns.ts'
export type { Random } from '../runtime/random.ts'
