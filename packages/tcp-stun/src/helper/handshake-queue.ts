import { subnetOf } from 'libp2p-tcp-stun/net'
import { systemClock } from '../rendezvous/server/clock.ts'
import { WaitingLines } from './waiting-lines.ts'
import type { Clock, Timer } from 'libp2p-tcp-stun/mapping'

/**
 * Hosts of one network wait in one line: a customer of a hosting company has a /24 or a /48 at
 * most
 */
const NETWORK = { ipv4: 24, ipv6: 48 }

/**
 * How many handshakes may begin at once when there were none for a while
 */
const BURST = 5

/**
 * How long a connection may wait, in ms. Whoever would wait longer is refused at once, and is
 * served sooner when it comes back.
 */
const MAX_WAIT = 1_000

/**
 * It may be longer while the process is overloaded, or others come again and again
 */
const PATIENCE = 4_000

/**
 * How long a network that was refused goes first, in ms: nodes come again after 3 s at most. Strangers
 * who take turns with thousands of networks come back later, and do not go first.
 */
const REMEMBERED = 4_000

interface Waiting {
  /**
   * Ends the wait
   */
  end(mayStart: boolean): void
}

export interface HandshakeQueueInit {
  /**
   * How long to wait between two handshakes, in ms. It is asked before each.
   */
  gap(): number

  /**
   * How many connections may wait, beside that no more may wait than can begin in time
   */
  maxWaiting: number

  /**
   * @default that of the system
   */
  clock?: Clock
}

/**
 * Lets the handshakes of unknown hosts begin at a limited rate. A handshake takes some
 * milliseconds of the processor, so that many at once would keep everybody else waiting. While
 * there are too many, each network has its turn, and a network that was refused goes first when
 * it comes back.
 */
export class HandshakeQueue {
  private readonly init: HandshakeQueueInit
  private readonly clock: Clock
  private readonly comeFirst = new WaitingLines<Waiting>()
  private readonly comeAgain = new WaitingLines<Waiting>()

  /**
   * When each network was refused, in this order
   */
  private readonly refused = new Map<string, number>()

  /**
   * When all handshakes so far are paid for
   */
  private paidAt = -Infinity
  private timer?: Timer

  constructor (init: HandshakeQueueInit) {
    this.init = init
    this.clock = init.clock ?? systemClock
  }

  /**
   * How many connections wait
   */
  get size (): number {
    return this.comeFirst.size + this.comeAgain.size
  }

  /**
   * Wait for the turn of a host
   *
   * @returns whether its handshake may begin: not if the queue is full, or it has waited for too
   * long, or was displaced by a network that has fewer connections in the queue
   */
  async enter (host: string, signal: AbortSignal): Promise<boolean> {
    const network = subnetOf(host, NETWORK)
    this.forgetRefused()

    if (this.size === 0 && this.untilNext() === 0) {
      this.pay()
    } else if (!(await this.wait(network, signal))) {
      // a peer that has left did not want to wait
      if (!signal.aborted) {
        this.remember(network)
      }

      return false
    }

    this.refused.delete(network)

    return true
  }

  close (): void {
    this.timer?.clear()

    for (const { end } of [...this.comeFirst, ...this.comeAgain]) {
      end(false)
    }
  }

  private async wait (network: string, signal: AbortSignal): Promise<boolean> {
    const lines = this.refused.has(network) ? this.comeAgain : this.comeFirst

    if (this.isFull() && !this.displace(network)) {
      return false
    }

    const { promise, resolve } = Promise.withResolvers<boolean>()
    const waiting: Waiting = {
      end: mayStart => {
        lines.delete(network, waiting)
        timeout.clear()
        signal.removeEventListener('abort', refuse)
        resolve(mayStart)
      }
    }
    const refuse = (): void => { waiting.end(false) }
    const timeout = this.clock.setTimeout(refuse, PATIENCE)
    signal.addEventListener('abort', refuse)
    lines.add(network, waiting)
    this.schedule()

    return promise
  }

  private isFull (): boolean {
    return this.size >= this.init.maxWaiting || (this.size + 1) * this.init.gap() >= MAX_WAIT
  }

  /**
   * Make room for a host: at the cost of one that has not been refused yet if this one has, or
   * else of the network that has most in the queue
   *
   * @returns whether there is room
   */
  private displace (network: string): boolean {
    const longest = (this.comeFirst.size > 0 ? this.comeFirst : this.comeAgain).lastOfLongest()

    if (longest == null) {
      return false
    }

    const isTurn = this.refused.has(network) && this.comeFirst.size > 0

    // that network would have fewer than the host's
    if (!isTurn && this.sizeOf(longest.network) <= this.sizeOf(network) + 1) {
      return false
    }

    longest.waiting.end(false)

    return true
  }

  private sizeOf (network: string): number {
    return this.comeFirst.sizeOf(network) + this.comeAgain.sizeOf(network)
  }

  private schedule (): void {
    this.timer ??= this.clock.setTimeout(() => {
      this.timer = undefined
      this.startNext()
    }, this.untilNext())
  }

  private startNext (): void {
    const next = this.comeAgain.shift() ?? this.comeFirst.shift()

    if (next != null) {
      this.pay()
      next.end(true)
    }

    if (this.size > 0) {
      this.schedule()
    }
  }

  /**
   * How long until one more handshake may begin, in ms
   */
  private untilNext (): number {
    return Math.max(0, this.paidAt - this.clock.now())
  }

  private pay (): void {
    const gap = this.init.gap()
    this.paidAt = Math.max(this.paidAt, this.clock.now() - (BURST - 1) * gap) + gap
  }

  private remember (network: string): void {
    this.refused.delete(network)
    this.refused.set(network, this.clock.now())
  }

  private forgetRefused (): void {
    for (const [network, time] of this.refused) {
      if (this.clock.now() - time <= REMEMBERED) {
        break
      }

      this.refused.delete(network)
    }
  }
}
