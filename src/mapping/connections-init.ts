import type { HeldConnection, HeldConnectionHost } from './held-connection.ts'
import type { ServerPoolInit } from './server-pool.ts'
import type { RenewalCause, Target } from './target.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { Network } from '../runtime/network.ts'
import type { BindingResult } from '../stun/binding-result.ts'
import type { Logger } from '@libp2p/interface'

/**
 * Events of `node:events`: with `EventTarget` the listeners of a mapping take 2 kB
 */
export interface ConnectionsEvents {
  /**
   * A server answered with an address that can be used
   */
  answer: [{ connection: HeldConnection, result: BindingResult, external: Endpoint }]

  /**
   * A connection has ended. `failure` is there when its server is to blame.
   */
  end: [{ connection: HeldConnection, failure?: Error }]

  /**
   * A connection is ended from this side, and its answer does not count any longer
   */
  drop: [HeldConnection]

  /**
   * A connection that held the mapping is replaced
   */
  renewal: [RenewalCause]
}

/**
 * What a new connection to a server takes
 */
type NewConnectionInit = Pick<HeldConnectionHost, 'local' | 'tls' | 'credential' | 'dns' | 'clock'>

export interface ConnectionsInit extends ServerPoolInit, NewConnectionInit {
  allowPrivateMapping: boolean
  network: Network
  log?: Logger
  signal: AbortSignal
  target: Target
}
