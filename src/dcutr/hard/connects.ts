import { pEvent } from 'p-event'
import { bindSocket } from '../../net/bound-socket.ts'
import { resetSocket } from '../../net/reset-socket.ts'
import { HardPunchError } from './errors.ts'
import { waitAndRead } from './timing.ts'
import type { Endpoint } from '../../address/endpoint.ts'
import type { BoundSocket } from '../../net/bound-socket.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { Socket } from 'node:net'

/**
 * How the easy side's router treats a SYN of a host that the easy side has not contacted
 */
export type Reception = 'connected' | 'reset' | 'dropped'

/**
 * The sockets of the hard side: each connects from a fresh port, so that the NAT gives
 * each another external port
 */
export class Connects {
  private readonly remote: Endpoint
  private readonly bound: BoundSocket[] = []
  private readonly sockets: Socket[] = []
  private isTested = false

  constructor (remote: Endpoint) {
    this.remote = remote
  }

  /**
   * How many there are
   */
  get count (): number {
    return this.sockets.filter(({ destroyed }) => !destroyed).length
  }

  /**
   * How many SYNs the test may cost: it waits longest, so the system may repeat its SYN
   */
  get testSYNs (): number {
    return this.isTested ? 2 : 0
  }

  /**
   * One connect, which shows how the router of the easy side treats strangers. A SYN that
   * it drops is as good as those that follow, so the socket stays.
   *
   * @param timeout - how long to wait for a reset, in ms
   */
  async test (timeout: number, { signal }: Required<AbortOptions>): Promise<Reception> {
    this.isTested = true
    this.bind(1)
    this.connect()
    const [socket] = this.sockets

    try {
      await Promise.race([
        pEvent(socket, 'connect', { rejectionEvents: ['error', 'close'], signal }),
        waitAndRead(timeout, { signal })
      ])

      return socket.connecting ? 'dropped' : 'connected'
    } catch (err: any) {
      signal.throwIfAborted()

      return err?.code === 'ECONNREFUSED' ? 'reset' : 'dropped'
    }
  }

  /**
   * Take fresh local ports
   *
   * @returns the ports
   * @throws the system's error, for example EMFILE
   */
  bind (count: number): number[] {
    return Array.from({ length: count }, () => {
      const bound = bindSocket({ host: '0.0.0.0', port: 0 })
      this.bound.push(bound)

      return bound.port
    })
  }

  /**
   * Connect from all ports that were taken
   */
  connect (): void {
    for (const bound of this.bound.splice(0)) {
      const socket = bound.connect({ ...this.remote, keepAlive: true, noDelay: true })
      // every way a connect ends is seen by those who wait for it
      socket.on('error', () => {})
      this.sockets.push(socket)
    }
  }

  /**
   * The socket on which the easy side speaks. It is no longer closed by `close`.
   *
   * @throws {HardPunchError} every connect was refused or ended
   * @throws the signal's reason
   */
  async chosen ({ signal }: Required<AbortOptions>): Promise<Socket> {
    try {
      const socket = await Promise.any(this.sockets.map(async socket => {
        // emitted also at the end of the stream, where there is nothing to read
        await pEvent(socket, 'readable', { rejectionEvents: ['error', 'close', 'end'], signal })

        if (socket.readableLength === 0) {
          throw new Error('The socket ended')
        }

        return socket
      }))

      return this.release(socket)
    } catch {
      signal.throwIfAborted()
      throw new HardPunchError('not-met', `All ${this.sockets.length} connects to ${this.remote.host} were refused`)
    }
  }

  /**
   * The socket of the test, where it is connected
   */
  tested (): Socket {
    return this.release(this.sockets[0])
  }

  close (): void {
    this.bound.splice(0).forEach(bound => { bound.close() })
    this.sockets.splice(0).forEach(resetSocket)
  }

  private release (socket: Socket): Socket {
    this.sockets.splice(this.sockets.indexOf(socket), 1)

    return socket
  }
}
