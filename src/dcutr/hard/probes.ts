import { setTimeout as delay } from 'node:timers/promises'
import { raceSignal } from 'race-signal'
import { bindSocket } from '../../net/bound-socket.ts'
import { resetSocket } from '../../net/reset-socket.ts'
import { HardPunchError } from './errors.ts'
import { PROBES_PER_SECOND } from './timing.ts'
import type { ListeningPort } from '../../listen/listening-ports.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { Socket } from 'node:net'

export interface ProbesInit {
  /**
   * The listening port, which all probes leave from
   */
  local: ListeningPort

  /**
   * The address of the hard side
   */
  host: string

  /**
   * How long a probe may take, in ms. Without it all of them wait until `close`.
   */
  hold?: number
}

/**
 * The sockets of the easy side: each connects from the listening port to another port of
 * the hard side
 */
export class Probes {
  private readonly init: ProbesInit
  private readonly sockets = new Set<Socket>()
  private readonly met = Promise.withResolvers<Socket>()
  private state: 'sending' | 'sent' | 'met' = 'sending'
  private count = 0

  constructor (init: ProbesInit) {
    this.init = init
    // it may fail before anybody waits for it
    this.met.promise.catch(() => {})
  }

  /**
   * Send a probe to each port, until one has met a connect
   *
   * @throws the signal's reason
   */
  async send (ports: number[], { signal }: Required<AbortOptions>): Promise<void> {
    const begin = performance.now()

    for (const [i, port] of ports.entries()) {
      const wait = begin + i * 1_000 / PROBES_PER_SECOND - performance.now()

      if (wait > 0) {
        await delay(Math.ceil(wait), undefined, { signal })
      }

      signal.throwIfAborted()

      if (this.state === 'met') {
        return
      }

      this.probe(port)
    }

    this.state = this.state === 'met' ? 'met' : 'sent'
    this.failIfAllEnded()
  }

  /**
   * The first socket that is connected. It is no longer closed by `close`.
   *
   * @throws {HardPunchError} all probes were refused, or held long enough
   * @throws the signal's reason
   */
  async first ({ signal }: Required<AbortOptions>): Promise<Socket> {
    const socket = await raceSignal(this.met.promise, signal)
    this.sockets.delete(socket)

    return socket
  }

  close (): void {
    this.state = 'met'
    this.sockets.forEach(resetSocket)
    this.sockets.clear()
  }

  private probe (port: number): void {
    const { local, host, hold } = this.init
    const socket = bindSocket({ ...local }).connect({ host, port, keepAlive: true, noDelay: true })
    // an event loop that was busy runs its timers before it sees that a socket is connected
    const end = (): void => {
      setImmediate(() => {
        if (socket.connecting) {
          socket.destroy()
        }
      })
    }
    const timer = hold == null ? undefined : setTimeout(end, Math.ceil(hold))
    this.count++
    this.sockets.add(socket)

    socket.on('error', () => {})
    socket.once('connect', () => {
      clearTimeout(timer)

      if (this.state === 'met') {
        this.sockets.delete(socket)
        resetSocket(socket)
        return
      }

      this.state = 'met'
      this.met.resolve(socket)
    })
    socket.once('close', () => {
      clearTimeout(timer)
      this.sockets.delete(socket)
      this.failIfAllEnded()
    })
  }

  private failIfAllEnded (): void {
    if (this.state === 'sent' && this.sockets.size === 0) {
      this.met.reject(new HardPunchError('not-met', `None of ${this.count} probes to ${this.init.host} was answered`))
    }
  }
}
