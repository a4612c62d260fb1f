import { subnetOf } from 'libp2p-tcp-stun/net'
import { systemClock } from '../rendezvous/server/clock.ts'
import type { Clock, Timer } from 'libp2p-tcp-stun/mapping'

/**
 * Hosts of one network wait in one line: a customer of a hosting company has a /24 or a /48 at
 * most
 */
const NETWORK = { ipv4: 24, ipv6: 48 }

/**
 * How long a connection may wait, in ms. Its peer gives up after 10 s, and needs some of that
 * for the handshake.
 */
const MAX_WAIT = 4_000

interface Waiting {
  start(): void
  refuse(): void
}

export interface HandshakeQueueInit {
  /**
   * How long to wait between two handshakes, in ms. It is asked before each.
   */
  gap(): number

  /**
   * How many connections may wait
   */
  maxWaiting: number

  /**
   * @default that of the system
   */
  clock?: Clock
}

/**
 * Lets the handshakes of unknown hosts begin one by one. A handshake takes some milliseconds
 * of the processor, so that many at once would keep everybody else waiting. While there are
 * too many, each network has its turn.
 */
export class HandshakeQueue {
  private readonly init: HandshakeQueueInit
  private readonly clock: Clock

  /**
   * By network, in the order of their turns
   */
  private readonly lines = new Map<string, Set<Waiting>>()
  private waiting = 0
  private nextStart = -Infinity
  private timer?: Timer

  constructor (init: HandshakeQueueInit) {
    this.init = init
    this.clock = init.clock ?? systemClock
  }

  /**
   * How many connections wait
   */
  get size (): number {
    return this.waiting
  }

  /**
   * Wait for the turn of a host
   *
   * @returns whether its handshake may begin: not if it has waited for too long, or was
   * displaced by a network that has fewer connections in the queue
   */
  async enter (host: string, signal: AbortSignal): Promise<boolean> {
    const { clock } = this

    if (this.waiting === 0 && clock.now() >= this.nextStart) {
      this.nextStart = clock.now() + this.init.gap()

      return true
    }

    return this.wait(subnetOf(host, NETWORK), signal)
  }

  close (): void {
    this.timer?.clear()

    for (const line of [...this.lines.values()]) {
      line.forEach(({ refuse }) => { refuse() })
    }
  }

  private async wait (network: string, signal: AbortSignal): Promise<boolean> {
    if (this.waiting >= this.init.maxWaiting && !this.displace(network)) {
      return false
    }

    const { promise, resolve } = Promise.withResolvers<boolean>()
    const line = this.lines.get(network) ?? new Set()
    const end = (mayStart: boolean): void => {
      if (line.delete(entry)) {
        this.waiting--
        timeout.clear()
        signal.removeEventListener('abort', entry.refuse)

        if (line.size === 0) {
          this.lines.delete(network)
        }

        resolve(mayStart)
      }
    }
    const entry: Waiting = { start: () => { end(true) }, refuse: () => { end(false) } }
    const timeout = this.clock.setTimeout(entry.refuse, MAX_WAIT)
    signal.addEventListener('abort', entry.refuse)
    line.add(entry)
    this.lines.set(network, line)
    this.waiting++
    this.schedule()

    return promise
  }

  /**
   * Make room for a host, at the cost of the network that has most in the queue
   *
   * @returns whether there is room: not for the host of that very network
   */
  private displace (network: string): boolean {
    let [longest, most] = ['', 0]

    for (const [each, { size }] of this.lines) {
      if (size > most) {
        [longest, most] = [each, size]
      }
    }

    if (longest === network || most <= (this.lines.get(network)?.size ?? 0)) {
      return false
    }

    // the one that came last has waited least
    [...this.lines.get(longest) ?? []].at(-1)?.refuse()

    return true
  }

  private schedule (): void {
    const { clock } = this

    this.timer ??= clock.setTimeout(() => {
      this.timer = undefined
      this.startNext()
    }, Math.max(0, this.nextStart - clock.now()))
  }

  private startNext (): void {
    const [turn] = this.lines

    if (turn == null) {
      return
    }

    const [network, line] = turn
    const [first] = line
    first.start()

    if (line.size > 0) {
      // to the end
      this.lines.delete(network)
      this.lines.set(network, line)
    }

    this.nextStart = this.clock.now() + this.init.gap()

    if (this.waiting > 0) {
      this.schedule()
    }
  }
}
