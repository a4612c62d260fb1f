import { isGlobal } from '../address/scope.ts'
import { sharesPort } from './listening-ports.ts'
import type { ListeningPort } from './listening-ports.ts'
import type { ConnectionTable } from '../connection/connection-table.ts'

/**
 * One connection is enough to hold a mapping, two survive the end of one
 */
const HOLDERS = 2

export interface HoldMappingOptions {
  /**
   * The connections must not be silent for longer than this, in ms
   */
  keepAlive: number

  /**
   * Whether a connection to a private address may pass the NAT. By default it
   * leads to a neighbour.
   */
  allowPrivate: boolean
}

/**
 * Let connections that were dialled from a listening port hold its NAT mapping,
 * when no STUN server does
 *
 * @returns whether there are any
 */
export function holdMapping (
  port: ListeningPort,
  connections: ConnectionTable,
  { keepAlive, allowPrivate }: HoldMappingOptions
): boolean {
  const holders = connections
    .listOutbound()
    .filter(({ local, remote }) => sharesPort(port, local) && (allowPrivate || isGlobal(remote.host)))
    .slice(0, HOLDERS)
  holders.forEach(({ socket }) => { socket.setKeepAlive(true, keepAlive) })

  return holders.length > 0
}
