import { InvalidParametersError } from '@libp2p/interface'
import { anySignal } from 'any-signal'
import { setMaxListeners } from 'main-event'
import { isRelayed } from '../../connection/peers.ts'
import { toIPEndpoint, toMultiaddr } from '../../multiaddr/net-config.ts'
import { systemClock } from '../../runtime/clock.ts'
import { limitedLog } from '../../runtime/quiet-log.ts'
import { Budgets } from './budgets.ts'
import { acceptOffer, punchAsEasySide } from './easy-side.ts'
import { Endings } from './endings.ts'
import { HardPunchError } from './errors.ts'
import { makeOffer, prepareOffer, punchAsHardSide } from './hard-side.ts'
import { HardPunchLimits } from './limits.ts'
import { checkHost } from './offer.ts'
import { ownSide } from './own-side.ts'
import { DURATION, Exchange, HARD_PUNCH_PROTOCOL } from './protocol.ts'
import { allowedTargets, announcedHosts } from './targets.ts'
import type { BudgetsInit } from './budgets.ts'
import type { EasySideInit } from './easy-side.ts'
import type { Run } from './endings.ts'
import type { HardSideInit, Met } from './hard-side.ts'
import type { Order } from './message-types.ts'
import type { KnownHosts } from './offer.ts'
import type { HardOwnSide } from './own-side.ts'
import type { TCPDialOptions } from '../../index.ts'
import type { DCUtRComponents, DirectDialer } from '../components.ts'
import type { AbortOptions, Connection, IdentifyResult, Logger, PeerId, Stream } from '@libp2p/interface'
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

export interface HardPunchInit extends BudgetsInit {
  /**
   * Upgrade a relayed connection by this attempt
   *
   * @returns whether it was tried
   */
  upgrade(relayed: Connection, attempt: (options: Signal) => Promise<Connection>): Promise<boolean>

  /**
   * Called before the peer learns where to send probes
   */
  onProbes(relayed: Connection): void
}

/**
 * Punches holes if the NAT of one peer (the hard side) maps every destination to another
 * port, and that of the other peer (the easy side) does not. The hard side begins as soon
 * as a relayed connection opens. docs/hard-punch.md describes the protocol.
 */
export class HardPunch {
  private readonly components: DCUtRComponents
  private readonly init: HardPunchInit
  private readonly log: Logger
  private readonly endings: Endings
  private readonly limits = new HardPunchLimits(systemClock)
  private readonly budgets: Budgets

  /**
   * The public IPv4 addresses that the peer of a relayed connection has announced
   */
  private readonly announced = new WeakMap<Connection, string[]>()

  /**
   * The addresses of the connections that were punched
   */
  private readonly punched = new WeakSet<Multiaddr>()

  /**
   * Which side went first in the last punch that succeeded with us as the easy side
   */
  private order?: Order
  private shutdown = new AbortController()

  constructor (components: DCUtRComponents, init: HardPunchInit) {
    this.components = components
    this.init = init
    this.budgets = new Budgets(components, init)
    this.log = limitedLog(components.logger.forComponent('libp2p:tcp-stun:dcutr:hard'))
    this.endings = new Endings(components, this.log, connection => this.hasMade(connection))
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
   * A relayed connection has opened. If we are the hard side, we begin.
   */
  onRelayed (relayed: Connection): void {
    const own = ownSide(this.components.transportManager.getListeners())

    if (own?.side === 'hard') {
      void this.offer(relayed, own)
    }
  }

  private async offer (relayed: Connection, own: HardOwnSide): Promise<void> {
    const run: Run = { side: 'hard', relayed }

    try {
      if (relayed.direction === 'inbound') {
        // join the upgrade that has begun, or else its ordinary attempts may fail and end it
        await this.upgradeBy(run, async ({ signal }) => {
          const punch = await this.agree(run, own, this.untilAgreed())

          return punch({ signal: AbortSignal.any([signal, AbortSignal.timeout(DURATION)]) })
        })
      } else {
        await this.upgradeBy(run, await this.agree(run, own, this.untilAgreed()))
      }
    } catch (err: any) {
      await this.endings.settle(run, err)
    }
  }

  /**
   * Have the peer accept an offer
   *
   * @returns the punch that was agreed on
   */
  private async agree (run: Run, own: HardOwnSide, options: Signal): Promise<(options: Signal) => Promise<Met>> {
    const { relayed } = run
    const peer = relayed.remotePeer
    const permit = run.permit = this.limits.take(peer)
    const known = { mapping: own.mapping, budgets: this.budgets.possible(peer) }
    // runs while the stream opens, because it may need Bindings
    const preparing = prepareOffer(known, options)
    preparing.catch(() => {})
    const stream = await relayed.newStream(HARD_PUNCH_PROTOCOL, { ...options, runOnLimitedConnection: true })
    const exchange = run.exchange = new Exchange(stream)
    const init: HardSideInit = {
      ...known,
      exchange,
      allow: async (remote, { connects, probes }, options) => {
        const external = { host: own.mapping.samples.at(-1)?.externalHost ?? '' }
        checkHost(remote.host, { external, servers: own.servers }, this.knownOf(relayed))
        const budget = await this.budgets.of(peer, remote.host, { connects, probes }, options)

        if (connects > budget.connects) {
          throw new HardPunchError('foreign-address', `Nobody attests that ${remote.host} is the address of the peer`)
        }

        await allowedTargets(this.components.connectionGater, peer, [remote])
        permit.use(remote.host)
      },
      onStart: () => { this.init.onProbes(relayed) }
    }
    const agreed = await makeOffer(exchange, await preparing, options)

    return async options => punchAsHardSide(init, agreed, options)
  }

  private readonly onStream = async (stream: Stream, relayed: Connection): Promise<void> => {
    if (!isRelayed(relayed)) {
      stream.abort(new InvalidParametersError('The connection is direct already'))
      return
    }

    const peer = relayed.remotePeer
    const exchange = new Exchange(stream)
    const run: Run = { side: 'easy', relayed, exchange }
    const init: EasySideInit = {
      exchange,
      random: Math.random,
      order: this.order,
      take: host => {
        run.permit = this.limits.take(peer, host)

        return run.permit
      },
      facts: { own: ownSide(this.components.transportManager.getListeners()), ...this.knownOf(relayed) },
      budgetFor: async (offer, options) => this.budgets.of(peer, offer.host, offer, options),
      allow: async remotes => allowedTargets(this.components.connectionGater, peer, remotes)
    }

    try {
      const accepted = await acceptOffer(init, this.untilAgreed())
      await this.upgradeBy(run, async options => {
        // known again after the next success
        this.order = undefined
        const met = await punchAsEasySide(init, accepted, options)
        this.order = met.order

        return met
      })
    } catch (err: any) {
      await this.endings.settle(run, err)
    }
  }

  private knownOf (relayed: Connection): KnownHosts {
    return { announced: this.announced.get(relayed) ?? [], relay: toIPEndpoint(relayed.remoteAddr)?.host }
  }

  /**
   * @throws {HardPunchError} it was not tried
   */
  private async upgradeBy (run: Run, punch: (options: Signal) => Promise<Met>): Promise<void> {
    // another upgrade that has succeeded closes the relayed connection
    const isTried = run.relayed.status === 'open' &&
      await this.init.upgrade(run.relayed, async options => this.finish(run, options, punch))

    if (!isTried) {
      throw new HardPunchError('busy', 'Other upgrades are under way, or one with this peer has failed lately')
    }
  }

  private untilAgreed (): Signal {
    return { signal: AbortSignal.any([this.shutdown.signal, AbortSignal.timeout(DURATION)]) }
  }

  /**
   * Run a punch that is permitted, and upgrade the socket that is found
   */
  private async finish (run: Run, options: Signal, punch: (options: Signal) => Promise<Met>): Promise<Connection> {
    const begin = performance.now()
    const peer = run.relayed.remotePeer
    // the agreement may be a part of it
    const signal = anySignal([options.signal, AbortSignal.timeout(run.permit == null ? 2 * DURATION : DURATION)])
    setMaxListeners(Infinity, signal)

    try {
      const met = await punch({ signal })
      this.log.trace('met %p at %s:%d after %d ms', peer, met.remote.host, met.remote.port, performance.now() - begin)
      const connection = await this.upgrade(peer, met, options)
      void this.endings.settle(run)

      return connection
    } catch (err: any) {
      void this.endings.settle(run, err)
      throw err
    } finally {
      signal.clear()
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

  private readonly onIdentify = ({ detail }: CustomEvent<IdentifyResult>): void => {
    if (isRelayed(detail.connection)) {
      this.announced.set(detail.connection, announcedHosts(detail.listenAddrs))
    }
  }
}
