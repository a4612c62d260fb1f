import { isIP } from 'node:net'
import { isPrivateIp } from '@libp2p/utils'
import { TCP } from '@multiformats/multiaddr-matcher'
import { toNetConfig } from './net-config.ts'
import type { SharedPorts } from './shared-ports.ts'
import type { Endpoint } from './stun/endpoint.ts'
import type { IdentifyResult } from '@libp2p/interface'

/**
 * How a peer sees one of our listening ports
 */
export interface ObservedAddress {
  /**
   * The local port that the connection leaves from
   */
  port: number

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
  if (observedAddr == null || connection.limits != null || connection.direction !== 'outbound' || !TCP.matches(observedAddr) || !TCP.matches(connection.remoteAddr)) {
    return
  }

  const remote = toNetConfig(connection.remoteAddr)
  const observed = toNetConfig(observedAddr)

  if (remote.type !== 'tcp' || observed.type !== 'tcp' || isIP(observed.host) === 0 || isPrivateIp(remote.host) !== false) {
    return
  }

  const port = ports.outboundPort(remote)

  return port == null ? undefined : { port, host: remote.host, external: { host: observed.host, port: observed.port } }
}
