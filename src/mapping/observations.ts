import type { Observation } from './consensus.ts'
import type { Endpoint } from '../address/endpoint.ts'

/**
 * The first answer is not announced before the servers that are still asked had
 * as long again to answer, between these bounds in ms: behind a NAT whose
 * mapping depends on the endpoint it would be an address that nobody can use
 */
const SECOND_OPINION_MIN = 100
const SECOND_OPINION_MAX = 500

export interface TimedObservation extends Observation {
  /**
   * The local address and port of the connection
   */
  local: Endpoint

  /**
   * From request to answer, in ms
   */
  roundTrip: number

  /**
   * When it is forgotten, in ms by the clock: never while its connection lives
   */
  expires?: number
}

/**
 * What each server said last: pure, it is told the time
 */
export class Observations {
  private readonly observations = new Map<string, TimedObservation>()
  private readonly lifetime: number

  /**
   * @param lifetime - how long the answer of a connection that ended counts, in ms
   */
  constructor (lifetime: number) {
    this.lifetime = lifetime
  }

  add (observation: TimedObservation): void {
    this.observations.set(observation.server, observation)
  }

  delete (server: string): void {
    this.observations.delete(server)
  }

  get (server: string): TimedObservation | undefined {
    return this.observations.get(server)
  }

  list (): TimedObservation[] {
    return [...this.observations.values()]
  }

  /**
   * The connection that the server's answer came over has ended: until then it
   * was true
   */
  markEnded (server: string, now: number): void {
    const observation = this.observations.get(server)

    if (observation?.held === true) {
      observation.held = false
      observation.expires = now + this.lifetime
    }
  }

  /**
   * Forget what connections said that ended too long ago. When no connection is
   * left it is asked whether something else holds the mapping: then nothing
   * expires.
   *
   * @returns when to look again, in ms by the clock
   */
  expire (now: number, isHeldOtherwise: () => boolean): number | undefined {
    const loose = this.list().filter(({ held }) => !held)
    const isHeld = loose.length > 0 && loose.length === this.observations.size && isHeldOtherwise()
    let next: number | undefined

    for (const observation of loose) {
      if (isHeld) {
        observation.expires = now + this.lifetime / 2
      }

      const { server, expires = now } = observation

      if (expires <= now) {
        this.observations.delete(server)
      } else {
        next = Math.min(next ?? expires, expires)
      }
    }

    return next
  }

  /**
   * Until when the first answer waits for others, in ms by the clock;
   * nothing when there is none, or when enough servers have answered
   */
  secondOpinion (enough: number): number | undefined {
    const held = this.list().filter(({ held }) => held)

    if (held.length === 0 || held.length >= enough) {
      return
    }

    return Math.min(...held.map(({ time, roundTrip }) => time + Math.min(SECOND_OPINION_MAX, Math.max(SECOND_OPINION_MIN, 2 * roundTrip))))
  }
}
