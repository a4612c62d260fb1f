import type { Reason } from './errors.ts'
import type { PortRange } from './range.ts'
import type { Endpoint } from '../../address/endpoint.ts'

/**
 * The side whose packets leave first. The other side begins when they have arrived.
 */
export type Order = 'hard-first' | 'easy-first'

/**
 * The hard side asks for a punch
 */
export interface Offer {
  type: 'offer'

  /**
   * The public IPv4 address that its connects will come from
   */
  host: string

  /**
   * The external ports that they may have, as far as that is known already
   */
  ranges: PortRange[]

  /**
   * How many connects it will make
   */
  connects: number

  /**
   * How many probes it asks for
   */
  probes: number
}

/**
 * The easy side agrees
 */
export interface Accept {
  type: 'accept'

  /**
   * The public address of its listening port
   */
  endpoint: Endpoint

  /**
   * How many probes it will send at most
   */
  probes: number

  /**
   * If its router is known to drop or to reset a stranger's SYN. Otherwise a test dial of
   * the hard side shows it.
   */
  order?: Order
}

/**
 * The easy side does not agree
 */
export interface Refuse {
  type: 'refuse'
  reason: Reason
  text: string
}

/**
 * The hard side has connected, or waits until the easy side has sent its probes
 */
export interface Start {
  type: 'start'
  order: Order

  /**
   * Where to send the probes
   */
  ranges: PortRange[]

  /**
   * Between the two peers, through the relay, in ms
   */
  roundTrip: number
}

/**
 * The easy side goes first, and has sent all its probes
 */
export interface Probed {
  type: 'probed'
}

/**
 * One side has given up. The other one closes its sockets.
 */
export interface Failed {
  type: 'failed'
  reason: Reason
  text: string
}

/**
 * What the two sides of a hard punch tell each other
 */
export type HardPunchMessage = Offer | Accept | Refuse | Start | Probed | Failed
