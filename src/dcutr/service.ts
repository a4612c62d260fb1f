import { InvalidParametersError, serviceCapabilities, serviceDependencies } from '@libp2p/interface'
import { anySignal } from 'any-signal'
import { TypedEventEmitter, setMaxListeners } from 'main-event'
import { isRelayed } from '../connection/peers.ts'
import { DCUTR_PROTOCOL } from '../punch/role.ts'
import { MAX_DELAY } from '../runtime/check-options.ts'
import { limitedLog } from '../runtime/quiet-log.ts'
import { Attempts } from './attempts.ts'
import { BackOff } from './back-off.ts'
import { HardPunch } from './hard/hard-punch.ts'
import { HolePuncher } from './hole-puncher.ts'
import type { DCUtRComponents } from './components.ts'
import type { DCUtREvents, DCUtRInit, HolePunchStart } from './index.ts'
import type { AbortOptions, Connection, CounterGroup, Logger, Startable, Stream } from '@libp2p/interface'

/**
 * How often a peer may ask for a punch in vain until it has left us alone for the time of
 * the back-off: three attempts on each of three relayed connections, of which some may be
 * those of a peer that restarts. Each costs SYNs to addresses that the peer names.
 */
const MAX_ANSWERS = 9

type Attempt = (options: Required<AbortOptions>) => Promise<Connection>

/**
 * The upgrade of one relayed connection that is under way
 */
interface Upgrade {
  attempts: Attempts<Connection>
  signal: AbortSignal
}

export class DCUtR extends TypedEventEmitter<DCUtREvents> implements Startable {
  private readonly components: DCUtRComponents
  private readonly init: Required<DCUtRInit>
  private readonly log: Logger
  private readonly outcomes?: CounterGroup
  private readonly punchers = new WeakMap<Connection, HolePuncher>()
  private readonly upgrades = new Map<Connection, Upgrade>()
  private readonly hard?: HardPunch
  private readonly backOff: BackOff

  /**
   * The peers that we have answered lately
   */
  private readonly answered: BackOff
  private shutdown = new AbortController()

  constructor (components: DCUtRComponents, init: Required<DCUtRInit>) {
    super()

    this.components = components
    this.log = limitedLog(components.logger.forComponent('libp2p:tcp-stun:dcutr'))
    this.init = init
    this.backOff = new BackOff(init.backOff)
    this.answered = new BackOff(init.backOff)
    this.outcomes = components.metrics?.registerCounterGroup('libp2p_tcp_stun_hole_punches_total', {
      label: 'outcome',
      help: 'Relayed connections that were upgraded to direct ones, by method, or not'
    })

    if (this.init.hardPunch !== false) {
      this.hard = new HardPunch(components, {
        wide: this.init.hardPunch === 'wide',
        trustedPeers: this.init.trustedPeers,
        trustedRelays: this.init.trustedRelays,
        upgrade: async (relayed, attempt) => this.upgrade(this.puncherOf(relayed), relayed, roleIn(relayed), attempt),
        onProbes: relayed => { this.puncherOf(relayed).isProbed = true }
      })
    }
  }

  readonly [Symbol.toStringTag] = 'libp2p-tcp-stun/dcutr'

  readonly [serviceCapabilities]: string[] = ['@libp2p/dcutr']

  readonly [serviceDependencies]: string[] = ['@libp2p/identify']

  async start (): Promise<void> {
    this.shutdown = new AbortController()
    setMaxListeners(Infinity, this.shutdown.signal)

    try {
      await this.components.registrar.handle(DCUTR_PROTOCOL, this.onStream, {
        maxInboundStreams: this.init.maxInboundStreams,
        maxOutboundStreams: this.init.maxOutboundStreams,
        runOnLimitedConnection: true
      })
    } catch (err: any) {
      throw err.name === 'DuplicateProtocolHandlerError'
        ? new InvalidParametersError('Another service handles DCUtR already: remove `@libp2p/dcutr` from the services')
        : err
    }

    await this.hard?.start()
    this.components.events.addEventListener('connection:open', this.onConnection)
  }

  async stop (): Promise<void> {
    this.components.events.removeEventListener('connection:open', this.onConnection)
    this.shutdown.abort()
    await this.hard?.stop()
    await this.components.registrar.unhandle(DCUTR_PROTOCOL)
  }

  /**
   * A connection through a relay is to be upgraded. B does not wait for identify: a peer
   * that does not speak DCUtR refuses the stream.
   */
  private readonly onConnection = ({ detail: relayed }: CustomEvent<Connection>): void => {
    if (!isRelayed(relayed)) {
      return
    }

    const puncher = this.puncherOf(relayed)
    // not anySignal, which would have to be cleared when the dial that goes on has ended
    const signal = AbortSignal.any([
      this.shutdown.signal,
      AbortSignal.timeout(Math.min(Math.ceil(this.init.retries * this.init.timeout), MAX_DELAY))
    ])
    setMaxListeners(Infinity, signal)
    const oneSided = puncher.dialOneSided({ signal }).catch(err => {
      this.log.trace('the addresses of %p did not become known - %e', relayed.remotePeer, err)

      return undefined
    })

    if (relayed.direction === 'inbound') {
      void this.upgrade(puncher, relayed, 'initiator', async options => {
        try {
          return await this.ask(puncher, relayed, options)
        } catch (err) {
          // there may have been no punch: the peer does not speak DCUtR, or we know no address of our own
          const connection = await oneSided

          if (connection == null) {
            throw err
          }

          return connection
        }
      })
    }

    this.hard?.onRelayed(relayed)
  }

  private readonly onStream = async (stream: Stream, relayed: Connection): Promise<void> => {
    if (!isRelayed(relayed)) {
      stream.abort(new InvalidParametersError('The connection is direct already'))
      return
    }

    const peer = relayed.remotePeer
    const now = performance.now()

    if (this.answered.count(peer, now) >= MAX_ANSWERS) {
      this.log.trace('%p has asked for a punch %d times in vain', peer, MAX_ANSWERS)
      stream.abort(new InvalidParametersError('There were too many attempts'))
      return
    }

    this.answered.add(peer, now)
    const puncher = this.puncherOf(relayed)
    const attempt: Attempt = async options =>
      this.attempt(async options => puncher.answer(stream, options), options)

    if (!(await this.upgrade(puncher, relayed, 'responder', attempt))) {
      stream.abort(new InvalidParametersError('Too many upgrades are under way'))
    }
  }

  private async ask (
    puncher: HolePuncher,
    relayed: Connection,
    { signal }: Required<AbortOptions>
  ): Promise<Connection> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.attempt(async options => puncher.ask(options), { signal })
      } catch (err: any) {
        this.log.trace('attempt %d of %d with %p failed - %e', attempt, this.init.retries, relayed.remotePeer, err)

        if (
          attempt === this.init.retries ||
          signal.aborted ||
          relayed.status !== 'open' ||
          err.name === 'UnsupportedProtocolError'
        ) {
          throw err
        }
      }
    }
  }

  private async attempt<T>(
    run: (options: Required<AbortOptions>) => Promise<T>,
    options: Required<AbortOptions>
  ): Promise<T> {
    const signal = anySignal([options.signal, AbortSignal.timeout(Math.ceil(this.init.timeout))])
    setMaxListeners(Infinity, signal)

    try {
      return await run({ signal })
    } finally {
      signal.clear()
    }
  }

  private puncherOf (relayed: Connection): HolePuncher {
    const puncher = this.punchers.get(relayed) ?? new HolePuncher(this.components, relayed, this.log)
    this.punchers.set(relayed, puncher)

    return puncher
  }

  /**
   * The first direct connection ends the upgrade, whoever made it. Where one is under way
   * already, the attempt is made beside the others.
   *
   * @returns whether it was tried
   */
  private async upgrade (
    puncher: HolePuncher,
    relayed: Connection,
    role: HolePunchStart['role'],
    attempt: Attempt
  ): Promise<boolean> {
    const peer = relayed.remotePeer
    const begin = performance.now()
    const other = this.upgrades.get(relayed)

    if (other != null) {
      other.attempts.add(attempt(other))
      await other.attempts.result.catch(() => {})
      return true
    }

    if (this.upgrades.size >= this.init.maxUpgrades || (role === 'initiator' && this.backOff.isActive(peer, begin))) {
      this.log.trace(
        'not upgrading the connection with %p: %s',
        peer,
        this.upgrades.size >= this.init.maxUpgrades ? 'too many upgrades are under way' : 'it failed lately'
      )
      return false
    }

    const finished = new AbortController()
    const signal = anySignal([this.shutdown.signal, finished.signal])
    setMaxListeners(Infinity, signal)
    const start: HolePunchStart = { peer, relayed, role }
    const attempts = new Attempts<Connection>()
    this.upgrades.set(relayed, { attempts, signal })
    this.safeDispatchEvent('hole-punch:start', { detail: start })

    try {
      attempts.add(attempt({ signal }))
      const connection = await Promise.race([puncher.untilDirect({ signal }), attempts.result])
      const method = this.hard?.hasMade(connection) === true ? 'hard' : puncher.methodOf(connection)
      const duration = performance.now() - begin
      this.backOff.delete(peer)
      this.answered.delete(peer)
      this.log('direct connection with %p at %a by %s after %d ms', peer, connection.remoteAddr, method, duration)
      this.outcomes?.increment({ [method]: true })
      this.safeDispatchEvent('hole-punch:success', { detail: { ...start, connection, method, duration } })
      await relayed.close({ signal: this.shutdown.signal })
    } catch (err: any) {
      if (!this.shutdown.signal.aborted) {
        this.backOff.add(peer, performance.now())
        this.log('no direct connection with %p - %e', peer, err)
        this.outcomes?.increment({ failed: true })
        this.safeDispatchEvent('hole-punch:failure', {
          detail: { ...start, error: err, duration: performance.now() - begin }
        })
      }
    } finally {
      finished.abort()
      signal.clear()
      this.upgrades.delete(relayed)
    }

    return true
  }
}

/**
 * The peer that was dialled through the relay asks for the punch
 */
function roleIn ({ direction }: Connection): HolePunchStart['role'] {
  return direction === 'inbound' ? 'initiator' : 'responder'
}
