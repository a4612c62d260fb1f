/**
 * Sockets that share a local TCP port, and the kinds of IP addresses.
 *
 * @example
 *
 * ```TypeScript
 * import net from 'node:net'
 * import { assertPortFree, bindSocket } from 'libp2p-tcp-stun/net'
 *
 * assertPortFree({ host: '0.0.0.0', port: 4001 })
 *
 * const server = net.createServer()
 * bindSocket({ host: '0.0.0.0', port: 4001 }).listen(server)
 * ```
 *
 * @module libp2p-tcp-stun/net
 */

export { formatEndpoint, isSameEndpoint } from '../address/endpoint.ts'
export { subnetOf, toBytes } from '../address/ip.ts'
export { addressScope, isGlobal, isLoopback, isUnspecified } from '../address/scope.ts'
export { assertPortFree, bindSocket } from './bound-socket.ts'
export { foreignListeners } from './foreign-listeners.ts'
export { listListeningSockets } from './listening-sockets.ts'
export { portSharing } from './port-sharing.ts'
export { resetSocket } from './reset-socket.ts'
export type { Endpoint } from '../address/endpoint.ts'
export type { SubnetPrefix } from '../address/ip.ts'
export type { AddressScope } from '../address/scope.ts'
export type { BindAddress, ConnectOptions, ServerOptions } from './bind.ts'
export type { BindOptions, BoundSocket } from './bound-socket.ts'
export type { ForeignListeners, ProcessesPort, WatchOptions } from './foreign-listeners.ts'
export type { ListedSocket, ListeningSocket } from './listening-sockets.ts'
export type { PortSharing } from './port-sharing.ts'
