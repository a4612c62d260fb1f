import { pEvent } from 'p-event'
import { isRelayed } from '../../connection/peers.ts'
import { HardPunchError } from './errors.ts'
import type { Permit } from './limits.ts'
import type { Exchange } from './protocol.ts'
import type { DCUtRComponents } from '../components.ts'
import type { Connection, CounterGroup, Logger } from '@libp2p/interface'

/**
 * How long the last message may take, and how long to wait for another connection that
 * explains a failure, in ms
 */
const END_TIMEOUT = 1_000

/**
 * One hard punch
 */
export interface Run {
  side: 'hard' | 'easy'
  relayed: Connection

  /**
   * Once it is permitted
   */
  permit?: Permit

  /**
   * Once there is a stream
   */
  exchange?: Exchange
}

type EndingsComponents = Pick<DCUtRComponents, 'connectionManager' | 'events' | 'metrics'>

/**
 * What becomes of hard punches: each is counted and logged, the peer is told, and after a
 * failure it is left alone for a while
 */
export class Endings {
  private readonly components: EndingsComponents
  private readonly log: Logger
  private readonly isOwn: (connection: Connection) => boolean
  private readonly outcomes?: CounterGroup

  /**
   * @param components
   * @param log
   * @param isOwn - whether a connection was made by a hard punch
   */
  constructor (components: EndingsComponents, log: Logger, isOwn: (connection: Connection) => boolean) {
    this.components = components
    this.log = log
    this.isOwn = isOwn
    this.outcomes = components.metrics?.registerCounterGroup('libp2p_tcp_stun_hard_punches_total', {
      label: 'outcome',
      help: 'Hard punches that succeeded, or why not'
    })
  }

  /**
   * A punch has succeeded, has failed, or did not begin
   */
  async settle (run: Run, err?: Error): Promise<void> {
    const failure = err != null && await this.isSuperseded(run.relayed, err)
      ? new HardPunchError('superseded', 'The peers are connected directly in another way')
      : err
    const outcome = failure == null ? 'succeeded' : reasonOf(failure)

    run.permit?.end(outcome === 'succeeded' || outcome === 'superseded')
    this.outcomes?.increment({ [outcome]: true })
    this.log('hard punch with %p as the %s side: %s', run.relayed.remotePeer, run.side, failure?.message ?? outcome)
    await run.exchange?.end(failure, { signal: AbortSignal.timeout(END_TIMEOUT) })
  }

  /**
   * Whether the peers have been connected in another way meanwhile. The peer, which may
   * know it first, ends the relayed connection and the stream with it. So wait a little
   * for the connection, unless the punch itself has a reason to fail.
   */
  private async isSuperseded ({ remotePeer }: Connection, err: Error): Promise<boolean> {
    const { connectionManager, events } = this.components
    const isOther = (connection: Connection): boolean =>
      connection.remotePeer.equals(remotePeer) && !isRelayed(connection) && !this.isOwn(connection)

    if (connectionManager.getConnections(remotePeer).some(isOther)) {
      return true
    }

    if (err instanceof HardPunchError) {
      return err.reason === 'superseded'
    }

    try {
      await pEvent<'connection:open', CustomEvent<Connection>>(events, 'connection:open', {
        filter: ({ detail }) => isOther(detail),
        signal: AbortSignal.timeout(END_TIMEOUT)
      })

      return true
    } catch {
      return false
    }
  }
}

function reasonOf (err: Error): string {
  return err instanceof HardPunchError ? err.reason : err.name
}
