import { formatEndpoint } from '../address/endpoint.ts'
import { toMultiaddr } from '../multiaddr/net-config.ts'
import { Alarm } from '../runtime/alarm.ts'
import { systemNetwork } from '../runtime/network.ts'
import { Answers } from './answers.ts'
import { Connections } from './connections.ts'
import { decide } from './decide.ts'
import { NO_MEMORY } from './decision.ts'
import { ContradictoryServerError, DisagreeingServerError } from './errors.ts'
import { afterAnswer, afterEnd, afterQuiet, initialKeepAlive, intervals, nextRelaxation } from './keep-alive.ts'
import { PeerViews } from './peer-views.ts'
import { PortSamples } from './port-samples.ts'
import type { StoredAnswer } from './answers.ts'
import type { BindOnceOptions } from './bind-once.ts'
import type { ConnectionsEvents } from './connections-init.ts'
import type { Decision, Memory, Outcome } from './decision.ts'
import type { Failures } from './failures.ts'
import type { KeepAlive } from './keep-alive.ts'
import type { MappingMetrics } from './metrics.ts'
import type { MappingOptions, PublicMappingInit } from './options.ts'
import type { PeerView } from './peer-views.ts'
import type { PortSample } from './port-samples.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { Clock } from '../runtime/clock.ts'
import type { STUNURI } from '../stun/uri.ts'
import type { Logger } from '@libp2p/interface'

export interface MappingControllerInit extends Pick<
  PublicMappingInit,
  'stunCredential' | 'isHeld' | 'tls' | 'dns' | 'network' | 'random'
> {
  options: Required<MappingOptions>
  servers: STUNURI[]

  /**
   * The endpoint that is listened on
   */
  local: Endpoint
  clock: Clock
  log?: Logger
  metrics: MappingMetrics
  failures: Failures

  /**
   * Ends it
   */
  signal: AbortSignal

  /**
   * Called with every decision. `keepAliveInterval` is the one in use, in ms.
   */
  onOutcome(outcome: Outcome, keepAliveInterval: number): void
}

/**
 * The feedback loop of a mapping: collects what servers and peers report, has it
 * decided, and steers the connections
 */
export class MappingController {
  private readonly init: MappingControllerInit
  private readonly connections: Connections
  private readonly answers = new Answers()
  private readonly peers = new PeerViews()
  private readonly samples = new PortSamples()
  private readonly alarm: Alarm
  private isStarted = false
  private isRewritingKnown = false
  private memory: Memory = NO_MEMORY
  private keepAlive: KeepAlive

  constructor (init: MappingControllerInit) {
    const { servers, stunCredential, options, local, tls, dns, network, clock, random, signal, log } = init
    const { stunConnections, minReconnectInterval, keepAliveInterval, allowPrivateMapping } = options
    this.init = init
    this.alarm = new Alarm(clock, () => { this.evaluate() })
    this.keepAlive = initialKeepAlive(keepAliveInterval)
    this.connections = new Connections({
      servers,
      minReconnectInterval,
      keepAliveInterval,
      allowPrivateMapping,
      local,
      tls,
      credential: stunCredential,
      dns,
      network: network ?? systemNetwork,
      clock,
      random: random ?? Math.random,
      signal,
      log,
      target: { wanted: stunConnections + 1, mayRenew: true, isUrgent: true, ...intervals(this.keepAlive) }
    })
    this.connections.on('answer', answer => { this.onAnswer(answer) })
    this.connections.on('drop', connection => { this.answers.forget(connection) })
    this.connections.on('end', end => { this.onEnd(end) })
    this.connections.on('renewal', cause => { init.metrics.onRenewal(cause) })
  }

  start (): void {
    this.isStarted = true
    this.connections.start()
    this.evaluate()
  }

  /**
   * A peer has reported what it sees
   */
  observe (view: PeerView): void {
    if (this.peers.add(view)) {
      this.evaluate()
    }
  }

  /** How the NAT has mapped the latest connections */
  listSamples (): PortSample[] {
    return this.samples.list(this.init.clock.now())
  }

  async bindOnce (options?: BindOnceOptions): Promise<PortSample> {
    const sample = await this.connections.bindOnce(options)
    this.samples.add(sample)

    return sample
  }

  /**
   * Forget what peers saw: it is not about the address any longer
   */
  forgetPeers (): void {
    this.peers.clear()
  }

  /**
   * After the signal was aborted
   */
  async close (): Promise<void> {
    this.alarm.clear()
    await this.connections.close()
  }

  private onAnswer ({ connection, result, external }: ConnectionsEvents['answer'][0]): void {
    const { server, endpoint } = connection
    const { uri } = server.uri
    const now = this.init.clock.now()
    const address = toMultiaddr(external).toString()

    if (result.rewritten != null && !this.isRewritingKnown) {
      this.isRewritingKnown = true
      this.init.log?.(
        'an application layer gateway rewrites addresses on the path to %s: MAPPED-ADDRESS is %s, ' +
          'XOR-MAPPED-ADDRESS %s',
        uri,
        formatEndpoint(result.rewritten),
        formatEndpoint(result.mapped)
      )
    }

    if (this.answers.get(connection) == null) {
      const { host: externalHost, port: externalPort } = external
      this.samples.add({ localPort: result.local.port, externalHost, externalPort, at: connection.begun }, connection)
    }

    this.init.log?.trace('%s sees %s', uri, formatEndpoint(external))
    this.init.metrics.onAnswer(server.origin.uri, result.roundTrip)
    const isContradictory = this.answers.add({
      connection,
      server: uri,
      origin: server.origin.uri,
      host: endpoint?.host ?? uri,
      external: address,
      time: now,
      isHeld: true,
      local: result.local,
      localHost: result.local.host,
      roundTrip: result.roundTrip
    })

    if (isContradictory) {
      this.init.failures.add(
        server.origin.uri,
        new ContradictoryServerError(`${uri} reported different addresses on one connection`)
      )
    } else {
      this.keepAlive = afterAnswer(this.keepAlive, address, now)
      this.init.failures.delete(uri)
    }

    this.evaluate()
  }

  private onEnd ({ connection, failure }: ConnectionsEvents['end'][0]): void {
    const { server: { uri, origin }, dropped, silence, interval } = connection
    const now = this.init.clock.now()
    const answer = this.answers.get(connection)

    if (answer != null && !dropped) {
      this.keepAlive = afterEnd(this.keepAlive, { external: answer.external, silence, interval }, now)
    }

    this.answers.markEnded(connection, now)
    this.samples.markEnded(connection)

    if (failure != null) {
      this.init.metrics.onFailure(origin.uri, failure)

      // the user has not configured the other endpoints of a server
      if (uri === origin) {
        this.init.failures.add(uri.uri, failure)
      } else {
        this.init.log?.trace('%s, another endpoint of %s, failed - %e', uri.uri, origin.uri, failure)
      }
    }

    this.evaluate()
  }

  /**
   * Decide, and do what was decided
   */
  private evaluate (): void {
    if (this.init.signal.aborted || !this.isStarted) {
      return
    }

    const now = this.init.clock.now()
    const answers = this.answers.list()
    this.keepAlive = afterQuiet(this.keepAlive, now)
    const decision = decide({
      answers,
      peers: this.peers.list(),
      connections: this.connections.size,
      connecting: this.connections.connecting,
      askable: this.connections.askable,
      isHeldOtherwise: answers.length > 0 && answers.every(({ isHeld }) => !isHeld) && this.init.isHeld?.() === true
    }, this.memory, {
      stunConnections: this.init.options.stunConnections,
      lifetime: 2 * this.keepAlive.interval
    }, now)

    this.memory = decision.memory
    decision.expired.forEach(({ connection }) => { this.answers.forget(connection) })
    decision.reject.forEach(answer => { this.reject(answer, decision) })
    this.init.onOutcome(decision.outcome, this.keepAlive.interval)
    this.steer(decision)
    this.alarm.clear()
    this.alarm.set(decision.next)
    this.alarm.set(nextRelaxation(this.keepAlive))
  }

  private reject ({ server, origin, external, connection }: StoredAnswer, { outcome }: Decision): void {
    const others = 'external' in outcome ? `the others say ${outcome.external}` : 'no other server agrees'
    this.init.failures.add(origin, new DisagreeingServerError(`${server} says ${external}, ${others}`))
    this.connections.reject(connection)
  }

  /**
   * Have the connections that are wanted
   */
  private steer ({ wanted, mayRenew, ask, keep, outcome }: Decision): void {
    if (ask.length > 0) {
      this.init.log?.trace(
        'servers differ, asking again: %s',
        ask.map(({ server, external }) => `${server} says ${external}`).join(', ')
      )
      ask.forEach(({ connection }) => { connection.askAgain() })
    }

    if (keep != null) {
      keep.forEach(({ connection }) => { this.connections.accept(connection) })
      this.connections.keepOnly(keep.map(({ connection }) => connection))
    }

    this.connections.aim({
      wanted,
      mayRenew,
      isUrgent: outcome.state === 'unchanged' || outcome.state === 'acquiring',
      ...intervals(this.keepAlive)
    })
  }
}
