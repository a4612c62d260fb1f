import { InvalidParametersError } from '@libp2p/interface'
import { anySignal } from 'any-signal'
import { setMaxListeners } from 'main-event'
import { toMultiaddr } from '../../address/endpoint.ts'
import { toIPEndpoint } from '../../address/net-config.ts'
import { isRelayed } from '../../connection/peers.ts'
import { systemClock } from '../../runtime/clock.ts'
import { limitedLog } from '../../runtime/quiet-log.ts'
import { acceptOffer, punchAsEasySide } from './easy-side.ts'
import { HardPunchError } from './errors.ts'
import { makeOffer, punchAsHardSide } from './hard-side.ts'
import { HardPunchLimits } from './limits.ts'
import { ownSide } from './own-side.ts'
import { DEFAULT_BUDGET, WIDE_BUDGET } from './plan.ts'
import { DURATION, Exchange, HARD_PUNCH_PROTOCOL } from './protocol.ts'
import { allowedTargets, announcedHosts } from './targets.ts'
import type { EasySideInit } from './easy-side.ts'
import type { HardSideInit, Met } from './hard-side.ts'
import type { Permit } from './limits.ts'
import type { HardOwnSide } from './own-side.ts'
import type { TCPDialOptions } from '../../index.ts'
import type { DCUtRComponents, DirectDialer } from '../components.ts'
import type { AbortOptions, Connection, CounterGroup, IdentifyResult, Logger, PeerId, Stream } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

type Signal = Required<AbortOptions>

/**
 * What reaches the transport through the transport manager
 */
type SocketDialOptions = Parameters<DirectDialer['dial']>[1] & Pick<TCPDialOptions, 'initiator' | 'socket'>

/**
 * How long the upgrade of a connected socket may take, in ms: some round trips of noise
 * and yamux
 */
const UPGRADE_TIMEOUT = 5_000

/**
 * How long the last message may take, in ms
 */
const END_TIMEOUT = 1_000

export interface HardPunchInit {
  /**
   * Send up to 1 024 probes, to peers whose address is attested
   */
  wide: boolean

  /**
   * The ids of peers that offer no address but their own
   */
  trustedPeers: string[]

  /**
   * Upgrade a relayed connection by this attempt
   *
   * @returns whether it was tried
   */
  upgrade(relayed: Connection, attempt: (options: Signal) => Promise<Connection>): Promise<boolean>
}

/**
 * One hard punch, from its permission to its end
 */
interface Run {
  side: 'hard' | 'easy'
  peer: PeerId
  permit: Permit
  exchange: Exchange
}

/**
 * Punches holes where the NAT of one peer maps every destination to another port (the hard
 * side), and that of the other peer does not (the easy side). The hard side begins as soon
 * as a relayed connection opens. docs/hard-punch.md describes the protocol.
 */
export class HardPunch {
  private readonly components: DCUtRComponents
  private readonly init: HardPunchInit
  private readonly log: Logger
  private readonly outcomes?: CounterGroup
  private readonly limits = new HardPunchLimits(systemClock)

  /**
   * The public IPv4 addresses that the peer of a relayed connection has announced
   */
  private readonly announced = new WeakMap<Connection, string[]>()

  /**
   * The addresses of the connections that were punched
   */
  private readonly punched = new WeakSet<Multiaddr>()
  private shutdown = new AbortController()

  constructor (components: DCUtRComponents, init: HardPunchInit) {
    this.components = components
    this.init = init
    this.log = limitedLog(components.logger.forComponent('libp2p:tcp-stun:dcutr:hard'))
    this.outcomes = components.metrics?.registerCounterGroup('libp2p_tcp_stun_hard_punches_total', {
      label: 'outcome',
      help: 'Hard punches that succeeded, or why not'
    })
  }

  async start (): Promise<void> {
    this.shutdown = new AbortController()
    setMaxListeners(Infinity, this.shutdown.signal)
    await this.components.registrar.handle(HARD_PUNCH_PROTOCOL, this.onStream, {
      maxInboundStreams: 1,
      maxOutboundStreams: 1,
      runOnLimitedConnection: true
    })
    this.components.events.addEventListener('peer:identify', this.onIdentify)
  }

  async stop (): Promise<void> {
    this.shutdown.abort()
    this.components.events.removeEventListener('peer:identify', this.onIdentify)
    await this.components.registrar.unhandle(HARD_PUNCH_PROTOCOL)
  }

  /**
   * Whether a connection came about by a hard punch
   */
  hasMade ({ remoteAddr }: Connection): boolean {
    return this.punched.has(remoteAddr)
  }

  /**
   * A relayed connection has opened. If we are the hard side, it is for us to begin.
   */
  onRelayed (relayed: Connection): void {
    const own = ownSide(this.components.transportManager.getListeners())

    if (own?.side === 'hard') {
      void this.offer(relayed, own)
    }
  }

  private async offer (relayed: Connection, own: HardOwnSide): Promise<void> {
    const peer = relayed.remotePeer
    const options = this.untilAgreed()
    let permit: Permit | undefined
    let exchange: Exchange | undefined

    try {
      const taken = permit = this.limits.take(peer)
      const stream = await relayed.newStream(HARD_PUNCH_PROTOCOL, { ...options, runOnLimitedConnection: true })
      exchange = new Exchange(stream)
      const init: HardSideInit = {
        exchange,
        mapping: own.mapping,
        budgets: this.isAttested(peer) ? [DEFAULT_BUDGET, WIDE_BUDGET] : [DEFAULT_BUDGET],
        allow: async remote => {
          await allowedTargets(this.components.connectionGater, peer, [remote])
          taken.use(remote.host)
        }
      }
      const agreed = await makeOffer(init, options)
      await this.upgradeBy(relayed, { side: 'hard', peer, permit, exchange }, async options =>
        punchAsHardSide(init, agreed, options))
    } catch (err: any) {
      permit?.end(false)
      await this.giveUp(peer, exchange, err)
    }
  }

  private readonly onStream = async (stream: Stream, relayed: Connection): Promise<void> => {
    if (!isRelayed(relayed)) {
      stream.abort(new InvalidParametersError('The connection is direct already'))
      return
    }

    const peer = relayed.remotePeer
    const exchange = new Exchange(stream)
    const init: EasySideInit = {
      exchange,
      facts: {
        own: ownSide(this.components.transportManager.getListeners()),
        announced: this.announced.get(relayed) ?? [],
        relay: toIPEndpoint(relayed.remoteAddr)?.host,
        budget: this.isAttested(peer) ? WIDE_BUDGET : DEFAULT_BUDGET
      },
      random: Math.random,
      take: host => this.limits.take(peer, host),
      allow: async remotes => allowedTargets(this.components.connectionGater, peer, remotes)
    }
    let permit: Permit | undefined

    try {
      const accepted = await acceptOffer(init, this.untilAgreed())
      permit = accepted.permit
      await this.upgradeBy(relayed, { side: 'easy', peer, permit, exchange }, async options =>
        punchAsEasySide(init, accepted, options))
    } catch (err: any) {
      permit?.end(false)
      await this.giveUp(peer, exchange, err)
    }
  }

  /**
   * @throws {HardPunchError} it was not tried
   */
  private async upgradeBy (relayed: Connection, run: Run, punch: (options: Signal) => Promise<Met>): Promise<void> {
    // another upgrade that has succeeded closes the relayed connection
    const isTried = relayed.status === 'open' &&
      await this.init.upgrade(relayed, async options => this.finish(run, options, punch))

    if (!isTried) {
      throw new HardPunchError('busy', 'Other upgrades are under way, or one with this peer has failed lately')
    }
  }

  /**
   * There was no punch
   */
  private async giveUp (peer: PeerId, exchange: Exchange | undefined, err: Error): Promise<void> {
    this.log('no hard punch with %p - %e', peer, err)
    this.outcomes?.increment({ [reasonOf(err)]: true })
    await exchange?.end(err, { signal: AbortSignal.timeout(END_TIMEOUT) })
  }

  private untilAgreed (): Signal {
    return { signal: AbortSignal.any([this.shutdown.signal, AbortSignal.timeout(DURATION)]) }
  }

  /**
   * Run a punch that is permitted, upgrade the socket that is found, and end the stream
   */
  private async finish (
    { side, peer, permit, exchange }: Run,
    options: Signal,
    punch: (options: Signal) => Promise<Met>
  ): Promise<Connection> {
    const begin = performance.now()
    const signal = anySignal([options.signal, AbortSignal.timeout(DURATION)])
    setMaxListeners(Infinity, signal)
    let failure: Error | undefined

    try {
      const met = await punch({ signal })
      this.log.trace('met %p at %s:%d after %d ms', peer, met.remote.host, met.remote.port, performance.now() - begin)

      return await this.upgrade(peer, met, options)
    } catch (err: any) {
      failure = err
      throw err
    } finally {
      signal.clear()
      permit.end(failure == null)
      this.outcomes?.increment({ [failure == null ? 'succeeded' : reasonOf(failure)]: true })
      this.log('hard punch with %p as the %s side: %s', peer, side, failure?.message ?? 'succeeded')
      void exchange.end(failure, { signal: AbortSignal.timeout(END_TIMEOUT) })
    }
  }

  private async upgrade (peer: PeerId, { socket, remote, initiator }: Met, { signal }: Signal): Promise<Connection> {
    const address = toMultiaddr(remote).encapsulate(`/p2p/${peer}`)
    const options: SocketDialOptions = {
      socket,
      initiator,
      signal: AbortSignal.any([signal, AbortSignal.timeout(UPGRADE_TIMEOUT)])
    }
    this.punched.add(address)

    try {
      return await this.components.transportManager.dial(address, options)
    } catch (err) {
      // the dial may have been refused before it had the socket
      socket.destroy()
      throw err
    }
  }

  /**
   * Whether the peer may cost more packets: somebody that we chose vouches for its address
   */
  private isAttested (peer: PeerId): boolean {
    return this.init.wide && (
      this.components.connectionProtector != null || this.init.trustedPeers.includes(peer.toString())
    )
  }

  private readonly onIdentify = ({ detail }: CustomEvent<IdentifyResult>): void => {
    if (isRelayed(detail.connection)) {
      this.announced.set(detail.connection, announcedHosts(detail.listenAddrs))
    }
  }
}

function reasonOf (err: Error): string {
  return err instanceof HardPunchError ? err.reason : err.name
}
