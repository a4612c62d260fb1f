import { BackOff } from '../back-off.ts'
import { HardPunchError } from './errors.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { PeerId } from '@libp2p/interface'

/**
 * Every connect and probe leaves an entry in a router for minutes, and a stranger's
 * router may take many probes for an attack. So each address is probed this rarely, and
 * all of them together this often, in ms.
 */
const TARGET_INTERVAL = 10 * 60_000
const HOUR = 60 * 60_000
const MAX_AN_HOUR = 10

/**
 * A failed punch leaves holes in routers that would make the next one fail: Linux forgets
 * them after 2 minutes
 */
const BACK_OFF = 2 * 60_000

/**
 * The permission for one hard punch
 */
export interface Permit {
  /**
   * Packets are sent to this address from now on, so that the punch counts
   *
   * @throws {HardPunchError} the address has had one lately
   */
  use(host: string): void

  /**
   * It has ended. To be called in any case.
   */
  end(succeeded: boolean): void
}

/**
 * How often a node takes part in a hard punch, on either side: one at a time, one for
 * each address of a partner in 10 minutes, 10 an hour, none with a peer for 2 minutes
 * after a failure
 */
export class HardPunchLimits {
  private readonly clock: Clock
  private readonly backOff = new BackOff(BACK_OFF)
  private underWay?: Permit
  private used: Array<{ host: string, at: number }> = []

  constructor (clock: Clock) {
    this.clock = clock
  }

  /**
   * @param peer - the partner
   * @param host - its public address, if it is known already
   * @throws {HardPunchError} it is not allowed now, with the reason
   */
  take (peer: PeerId, host?: string): Permit {
    const now = this.clock.now()
    this.used = this.used.filter(({ at }) => now - at < HOUR)

    if (this.underWay != null) {
      throw new HardPunchError('busy', 'Another hard punch is under way')
    }

    if (this.backOff.isActive(peer, now)) {
      throw new HardPunchError('too-soon', 'A hard punch with this peer failed in the last 2 minutes')
    }

    if (this.used.length >= MAX_AN_HOUR) {
      throw new HardPunchError('too-soon', `There were ${MAX_AN_HOUR} hard punches in the last hour`)
    }

    if (host != null) {
      this.checkTarget(host)
    }

    const permit: Permit = {
      use: host => {
        this.checkTarget(host)
        this.used.push({ host, at: this.clock.now() })
      },
      end: succeeded => {
        if (this.underWay === permit) {
          this.underWay = undefined
        }

        if (!succeeded) {
          this.backOff.add(peer, this.clock.now())
        }
      }
    }
    this.underWay = permit

    return permit
  }

  private checkTarget (host: string): void {
    const now = this.clock.now()

    if (this.used.some(({ host: other, at }) => other === host && now - at < TARGET_INTERVAL)) {
      throw new HardPunchError('too-soon', `${host} has had a hard punch in the last 10 minutes`)
    }
  }
}
