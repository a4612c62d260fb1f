import { toIPEndpoint } from '../address/net-config.ts'
import { isGlobal } from '../address/scope.ts'
import { isRelayed } from '../punch/is-relayed.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { SharedPort, SharedPorts } from '../dial/shared-ports.ts'
import type { IdentifyResult } from '@libp2p/interface'

/**
 * How a peer sees one of our listening ports
 */
export interface ObservedAddress {
  /**
   * The listener that the connection leaves from the port of
   */
  port: SharedPort

  /**
   * The peer's IP address
   */
  host: string

  external: Endpoint
}

/**
 * What a peer that was dialled from a listening port has told by identify
 * (`observedAddr`). An inbound connection would tell nothing of the NAT's mapping
 * for new destinations, a relayed one is the relay's, and a peer in the same
 * network is on our side of the NAT.
 */
export function observedAddress ({ connection, observedAddr }: IdentifyResult, ports: SharedPorts): ObservedAddress | undefined {
  if (observedAddr == null || isRelayed(connection) || connection.direction !== 'outbound') {
    return
  }

  const remote = toIPEndpoint(connection.remoteAddr)
  const observed = toIPEndpoint(observedAddr)

  if (remote == null || observed == null || !isGlobal(remote.host)) {
    return
  }

  const port = ports.outboundPort(remote)

  return port == null ? undefined : { port, host: remote.host, external: { host: observed.host, port: observed.port } }
}
