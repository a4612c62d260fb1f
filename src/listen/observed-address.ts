import { isGlobal } from '../address/scope.ts'
import { isRelayed } from '../connection/peers.ts'
import { toIPEndpoint } from '../multiaddr/net-config.ts'
import { sharesPort } from './listening-ports.ts'
import type { ListeningPort, ListeningPorts } from './listening-ports.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { ConnectionTable } from '../connection/connection-table.ts'
import type { IdentifyResult } from '@libp2p/interface'

/**
 * How a peer sees one of our listening ports
 */
export interface ObservedAddress {
  /**
   * The listening port that the connection leaves from
   */
  port: ListeningPort

  /**
   * The peer's IP address
   */
  host: string

  /**
   * What the peer sees
   */
  external: Endpoint
}

/**
 * What a peer that was dialled from a listening port reports by identify
 * (`observedAddr`). Other reports say nothing about the mapping of the port: on an
 * inbound connection the peer repeats the address that it has dialled, a relayed
 * connection is seen by the relay, and a peer in our own network is on our side of
 * the NAT.
 */
export function observedAddress (
  { connection, observedAddr }: IdentifyResult,
  ports: ListeningPorts,
  connections: ConnectionTable
): ObservedAddress | undefined {
  if (observedAddr == null || isRelayed(connection) || connection.direction !== 'outbound') {
    return
  }

  const remote = toIPEndpoint(connection.remoteAddr)
  const observed = toIPEndpoint(observedAddr)

  if (remote == null || observed == null || !isGlobal(remote.host)) {
    return
  }

  const port = dialledFrom(remote, ports, connections)

  return port == null ? undefined : { port, host: remote.host, external: { host: observed.host, port: observed.port } }
}

/**
 * The listening port that an endpoint was dialled from. There is none when the
 * endpoint was dialled from several ports: the report does not say which one is meant.
 */
function dialledFrom (
  remote: Endpoint,
  ports: ListeningPorts,
  connections: ConnectionTable
): ListeningPort | undefined {
  const [outbound, ...others] = connections
    .listOutbound()
    .filter(({ remote: { host, port } }) => host === remote.host && port === remote.port)

  return outbound == null || others.length > 0 ? undefined : ports.list().find(port => sharesPort(port, outbound.local))
}
