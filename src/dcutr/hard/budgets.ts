import { isAttested } from '../attest/ask-relays.ts'
import { DEFAULT_BUDGET, WIDE_BUDGET } from './plan.ts'
import type { Budget } from './plan.ts'
import type { DCUtRComponents } from '../components.ts'
import type { AbortOptions, PeerId } from '@libp2p/interface'

export interface BudgetsInit {
  /**
   * Send up to 1 024 probes, to peers whose address is attested
   */
  wide: boolean

  /**
   * The ids of peers that offer no address but their own
   */
  trustedPeers: string[]

  /**
   * The ids of relays that are believed when they say where a peer is connected from
   */
  trustedRelays: string[]
}

type BudgetsComponents = Pick<DCUtRComponents, 'connectionManager' | 'connectionProtector'>

/**
 * What a punch may cost: more where somebody that we chose vouches for the peer's address
 */
export class Budgets {
  private readonly components: BudgetsComponents
  private readonly init: BudgetsInit

  constructor (components: BudgetsComponents, init: BudgetsInit) {
    this.components = components
    this.init = init
  }

  /**
   * Before the address of the peer is known: what it may be, the lowest first
   */
  possible (peer: PeerId): Budget[] {
    return this.init.wide && (this.isTrusted(peer) || this.init.trustedRelays.length > 0)
      ? [DEFAULT_BUDGET, WIDE_BUDGET]
      : [DEFAULT_BUDGET]
  }

  /**
   * For packets to this address of the peer. A relay is asked only if it matters.
   *
   * @param peer
   * @param host - an IP address
   * @param wanted - what the peer asks for
   * @param options
   */
  async of (peer: PeerId, host: string, wanted: Budget, options: Required<AbortOptions>): Promise<Budget> {
    const isEnough = wanted.connects <= DEFAULT_BUDGET.connects && wanted.probes <= DEFAULT_BUDGET.probes

    if (isEnough || !this.init.wide) {
      return DEFAULT_BUDGET
    }

    return this.isTrusted(peer) || await isAttested(this.components, this.init.trustedRelays, { peer, host }, options)
      ? WIDE_BUDGET
      : DEFAULT_BUDGET
  }

  private isTrusted (peer: PeerId): boolean {
    return this.components.connectionProtector != null || this.init.trustedPeers.includes(peer.toString())
  }
}
