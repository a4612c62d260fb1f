import { isIP } from 'node:net'
import { InvalidParametersError, NotStartedError } from '@libp2p/interface'
import { getNetConfig } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { TypedEventEmitter, setMaxListeners } from 'main-event'
import { raceSignal } from 'race-signal'
import { formatEndpoint, toMultiaddr } from '../address/endpoint.ts'
import { portSharing } from '../net/port-sharing.ts'
import { systemClock } from '../runtime/clock.ts'
import { sharedLogger } from '../runtime/loggers.ts'
import { systemNetwork } from '../runtime/network.ts'
import { STUNTimeoutError } from '../stun/errors.ts'
import { parseSTUNURI } from '../stun/uri.ts'
import { Connections } from './connections.ts'
import { findConsensus } from './consensus.ts'
import { DisagreeingServerError, NoSTUNServersError, PortSharingUnsupportedError } from './errors.ts'
import { toExternalAddress } from './external-address.ts'
import { Failures } from './failures.ts'
import { MappingMetrics } from './metrics.ts'
import { Observations } from './observations.ts'
import { validateMappingOptions } from './options.ts'
import { PeerViews } from './peer-views.ts'
import { externalOf, isSameStatus } from './status.ts'
import type { Consensus, Observation } from './consensus.ts'
import type { HeldConnection } from './held-connection.ts'
import type { MappingOptions, PublicMappingComponents, PublicMappingInit } from './options.ts'
import type { PeerView } from './peer-views.ts'
import type { MappingStatus } from './status.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import type { BindingResult } from '../stun/binding-result.ts'
import type { STUNURI } from '../stun/uri.ts'
import type { Logger } from '@libp2p/interface'

export interface PublicMappingEvents {
  /**
   * There is an external address where there was none
   */
  mapped: CustomEvent<MappingStatus>

  /**
   * There is another external address than before
   */
  changed: CustomEvent<MappingStatus>

  /**
   * There is no external address that peers could use
   */
  lost: CustomEvent<MappingStatus>

  /**
   * Anything of the status changed: one of the above, or a server failed or recovered
   */
  status: CustomEvent<MappingStatus>
}

/**
 * Holds the external address of one local TCP port: asks STUN servers from that
 * port, keeps the connections so that the NAT keeps its mapping, replaces those
 * that end, and tells what the address is.
 *
 * The port is one that a listener has, bound so that it can be shared: by
 * `tcpSTUN()`, or in any Node program by `server.listen({ port, reusePort: true })`.
 *
 * @example
 *
 * ```TypeScript
 * import net from 'node:net'
 * import { multiaddr } from '@multiformats/multiaddr'
 * import { PublicMapping } from 'libp2p-tcp-stun/mapping'
 *
 * const server = net.createServer()
 * server.listen({ host: '0.0.0.0', port: 4001, reusePort: true })
 *
 * const mapping = new PublicMapping({}, {
 *   listener: multiaddr('/ip4/0.0.0.0/tcp/4001'),
 *   stunServers: ['stun:stun.example.org', 'stun:stun.example.net']
 * })
 * mapping.addEventListener('status', ({ detail }) => { console.info(detail.state) })
 * await mapping.start(AbortSignal.timeout(5_000))
 * ```
 */
export class PublicMapping extends TypedEventEmitter<PublicMappingEvents> {
  /**
   * What is known now
   */
  public status: MappingStatus

  private readonly init: PublicMappingInit
  private readonly options: Required<MappingOptions>
  private readonly local: Endpoint
  private readonly log: Logger | undefined
  private readonly clock: Clock
  private readonly connections: Connections
  private readonly observations: Observations
  private readonly peers = new PeerViews()
  private readonly failures: Failures
  private readonly metrics: MappingMetrics
  private readonly shutdown = new AbortController()
  private readonly settled = Promise.withResolvers<void>()
  private started = false
  private contestedSince?: number
  private evaluateTimer?: Timer

  /**
   * @throws {InvalidParametersError} an option makes no sense. An invalid server
   * URI does not throw: it is in the status, and the other servers are used.
   */
  constructor (components: PublicMappingComponents, init: PublicMappingInit) {
    super()

    this.init = init
    this.options = validateMappingOptions(init)
    const { host, port } = getNetConfig(init.listener)
    this.local = { host, port: port ?? 0 }
    this.log = components.logger == null ? undefined : sharedLogger(components.logger, 'libp2p:tcp-stun:mapping')
    this.clock = init.clock ?? systemClock
    this.metrics = new MappingMetrics(components.metrics, init.listener.toString(), this.clock)
    this.failures = new Failures(this.clock, this.log)
    this.observations = new Observations(2 * this.options.keepAliveInterval)
    this.status = { state: 'acquiring', listener: init.listener, failures: [] }
    this.connections = new Connections({
      ...this.options,
      servers: this.parseServers(init.stunServers),
      local: this.local,
      tls: init.tls,
      dns: init.dns,
      network: init.network ?? systemNetwork,
      clock: this.clock,
      random: init.random ?? Math.random,
      signal: this.shutdown.signal,
      log: this.log,
      wanted: () => this.wanted(),
      mayRenew: () => this.contestedSince == null,
      onAnswer: (held, result) => { this.onAnswer(held, result) },
      onDrop: held => { this.observations.delete(held.server.uri.uri) },
      onEnd: (held, failure) => { this.onEnd(held, failure) },
      onChange: () => { this.evaluate() },
      onRenewal: cause => { this.metrics.onRenewal(cause) }
    })
    setMaxListeners(Infinity, this.shutdown.signal)
  }

  /**
   * Begin the search, and wait for the first status that is not `acquiring`.
   * When the signal is aborted only the wait ends: the search goes on until
   * `close()`.
   *
   * @throws {AbortError} the signal was aborted
   * @throws the system's error when it cannot tell whether it shares ports, for example EMFILE
   */
  async start (signal?: AbortSignal): Promise<MappingStatus> {
    this.shutdown.signal.throwIfAborted()

    if (!this.started) {
      const sharing = portSharing()
      this.started = true

      if (sharing === 'unsupported') {
        this.setStatus({
          ...this.base(),
          state: 'unsupported',
          reason: new PortSharingUnsupportedError(`This runtime cannot share a TCP port between a listener and STUN connections on ${process.platform}`)
        })
      } else {
        this.connections.start()
        this.evaluate()
      }
    }

    await raceSignal(this.settled.promise, signal)

    return this.status
  }

  /**
   * Tell how somebody sees the port whom it has connected to: a libp2p peer by
   * identify's `observedAddr`. It is never announced, but beside one STUN server
   * it shows how the NAT maps: somebody else who sees the same confirms the
   * address, and three networks that all see others mean `endpoint-dependent`,
   * unless the address was confirmed before. What no peer could use is ignored.
   *
   * @param host - the IP address of who sees it, not a name
   * @param external - what is seen
   * @throws {InvalidParametersError} the host is no IP address
   */
  observe (host: string, external: Endpoint): void {
    let usable: Endpoint

    if (isIP(host) === 0) {
      throw new InvalidParametersError(`host must be an IP address, not ${host}`)
    }

    try {
      usable = toExternalAddress(external, { allowPrivate: this.options.allowPrivateMapping, local: this.local })
    } catch (err) {
      this.log?.trace('a peer at %s sees what can not be - %e', host, err)
      return
    }

    if (this.peers.add({ host, external: toMultiaddr(usable).toString() })) {
      this.evaluate()
    }
  }

  /**
   * Give the mapping up: all connections are reset, nothing is left behind
   */
  async close (): Promise<void> {
    this.shutdown.abort(new NotStartedError('The mapping was closed'))
    this.settled.promise.catch(() => {})
    this.settled.reject(this.shutdown.signal.reason)
    this.evaluateTimer?.clear()
    await this.connections.close()
  }

  /**
   * One more than have to hold: while there is no address so that one dead
   * server costs no time, while the servers differ for a third opinion
   */
  private wanted (): number {
    const spare = this.contestedSince != null || externalOf(this.status) == null

    return this.options.stunConnections + (spare ? 1 : 0)
  }

  /**
   * @throws {InvalidMappedAddressError} no peer could use what the server says
   */
  private onAnswer (held: HeldConnection, result: BindingResult): void {
    const { uri } = held.server.uri
    const external = toExternalAddress(result.mapped, { allowPrivate: this.options.allowPrivateMapping, local: result.local })

    if (result.rewritten != null && this.observations.get(uri) == null) {
      this.log?.('an application layer gateway rewrites addresses on the way to %s: MAPPED-ADDRESS is %s, XOR-MAPPED-ADDRESS %s', uri, formatEndpoint(result.rewritten), formatEndpoint(result.mapped))
    }

    this.log?.trace('%s sees %s', uri, formatEndpoint(external))
    this.failures.delete(uri)
    this.metrics.onAnswer(uri, result.roundTrip)
    this.observations.add({
      server: uri,
      origin: held.server.origin.uri,
      host: held.endpoint?.host ?? uri,
      external: toMultiaddr(external).toString(),
      time: this.clock.now(),
      held: true,
      local: result.local,
      roundTrip: result.roundTrip
    })
  }

  private onEnd (held: HeldConnection, failure?: Error): void {
    const { uri, origin } = held.server
    this.observations.markEnded(uri.uri, this.clock.now())

    if (failure == null) {
      return
    }

    this.metrics.onFailure({ server: uri.uri, error: failure })

    // the user has not asked for the other endpoints of a server
    if (uri === origin) {
      this.failures.add(uri.uri, failure)
    } else {
      this.log?.('%s, another endpoint of %s, failed - %e', uri.uri, origin.uri, failure)
    }
  }

  /**
   * Draw the conclusion from what the servers said last
   */
  private evaluate (): void {
    if (this.shutdown.signal.aborted) {
      return
    }

    this.evaluateTimer?.clear()
    this.evaluateTimer = undefined

    const now = this.clock.now()
    const settled = externalOf(this.status) != null || !this.connections.isConnecting
    const opinion = settled ? undefined : this.observations.secondOpinion(this.options.stunConnections)
    const waiting = opinion != null && opinion > now
    const next = waiting ? opinion : this.observations.expire(now, () => this.init.isHeld?.() === true)

    if (next != null) {
      this.evaluateTimer = this.clock.setTimeout(() => { this.evaluate() }, Math.max(1, next - now))
    }

    if (waiting) {
      return
    }

    const consensus = findConsensus(this.observations.list(), { contestedSince: this.contestedSince })

    switch (consensus.verdict) {
      case 'agreed': return this.onAgreed(consensus)
      case 'contested': return this.onContested(consensus.again)
      case 'endpoint-dependent': return this.onEndpointDependent(consensus.observations, [])
      default: return this.onNothing()
    }
  }

  private onNothing (): void {
    this.contestedSince = undefined

    // an address that was announced has expired, or there is nobody left to ask
    if (this.connections.size > 0 && externalOf(this.status) == null) {
      if (this.status.state !== 'lost') {
        this.setStatus({ ...this.base(), state: 'acquiring' })
      }

      return
    }

    this.peers.clear()
    let reason = this.failures.toError()

    if (reason == null) {
      reason = externalOf(this.status) == null
        ? new NoSTUNServersError('No STUN server is configured')
        : new STUNTimeoutError('No STUN server could be asked for two keep-alive intervals')
    }

    this.setStatus({ ...this.base(), state: 'lost', reason })
  }

  private onAgreed (consensus: Consensus & { verdict: 'agreed' }): void {
    this.contestedSince = undefined

    for (const { server, external } of consensus.dissenters) {
      this.failures.add(server, new DisagreeingServerError(`${server} says ${external}, the others ${consensus.external}`))
      this.observations.delete(server)
      this.connections.reject(server)
    }

    const announced = externalOf(this.status)?.toString()

    if (announced != null && announced !== consensus.external) {
      this.peers.clear()
    }

    const previous = 'external' in this.status && this.status.external.toString() === consensus.external ? this.status : undefined
    const behaviour = this.behaviour(consensus, previous)

    if (behaviour === 'endpoint-dependent') {
      this.onEndpointDependent(consensus.supporters, this.peers.against(consensus.external))
      return
    }

    const [supporter] = consensus.supporters
    const { local } = this.observations.get(supporter.server) ?? { local: this.local }
    const localAddr = toMultiaddr(local)
    const isDirect = consensus.external === localAddr.toString()

    this.setStatus({
      ...this.base(),
      state: isDirect ? 'direct' : 'mapped',
      external: isDirect ? localAddr : previous?.external ?? multiaddr(consensus.external),
      local: localAddr,
      behaviour,
      servers: consensus.supporters.map(({ server }) => server),
      since: previous?.since ?? this.clock.date()
    })

    // the spare ones have served
    if (consensus.supporters.filter(({ held }) => held).length >= this.options.stunConnections) {
      this.connections.keepOnly(consensus.supporters.slice(0, this.options.stunConnections).map(({ server }) => server))
    }

    this.connections.maintain()
  }

  /**
   * How the NAT maps, as far as servers and peers show it together
   */
  private behaviour ({ external, behaviour, supporters }: Consensus & { verdict: 'agreed' }, previous?: { behaviour: 'endpoint-independent' | 'unknown' }): 'endpoint-independent' | 'endpoint-dependent' | 'unknown' {
    // what two servers have shown is still true while one of them is replaced
    const isShown = behaviour !== 'unknown' || previous?.behaviour === 'endpoint-independent'

    if (isShown || this.peers.confirm(external, supporters.map(({ host }) => host))) {
      return 'endpoint-independent'
    }

    return this.peers.against(external).length > 0 ? 'endpoint-dependent' : 'unknown'
  }

  private onContested (again: Observation[]): void {
    // with nothing announced there is no change of address to wait for, and
    // a connection that is gone can not be asked again
    if (externalOf(this.status) == null && again.every(({ held }) => !held)) {
      this.onEndpointDependent(again, [])
      return
    }

    if (this.contestedSince == null) {
      this.log?.('servers differ, asking again: %s', again.map(({ server, external }) => `${server} says ${external}`).join(', '))
      // the answer that showed it is as new as it gets: not the clock's time, which
      // may have gone on since
      this.contestedSince = Math.max(...again.map(({ time }) => time))
      this.connections.askAll()
      this.connections.maintain()
    }
  }

  private onEndpointDependent (observations: Observation[], peers: PeerView[]): void {
    // a third opinion is under way
    if (this.connections.isConnecting) {
      return
    }

    this.setStatus({
      ...this.base(),
      state: 'endpoint-dependent',
      addresses: observations.map(({ server, external }) => ({ server, external: multiaddr(external) })),
      peers: peers.map(({ host, external }) => ({ host, external: multiaddr(external) }))
    })
  }

  private base (): Pick<MappingStatus, 'listener' | 'failures'> {
    return { listener: this.init.listener, failures: this.failures.list() }
  }

  private setStatus (status: MappingStatus): void {
    const previous = this.status

    if (isSameStatus(previous, status)) {
      return
    }

    this.status = status
    this.metrics.onStatus(status)

    const before = externalOf(previous)
    const after = externalOf(status)

    // one server of many that fails is no news before the others have answered
    if (status.state === 'acquiring' && previous.state === 'acquiring') {
      return
    }

    if ('reason' in status) {
      this.log?.error('no public address for %a - %e', status.listener, status.reason)
    } else {
      this.log?.('%a is %s %s', status.listener, status.state, after ?? '')
    }

    if (status.state !== 'acquiring') {
      this.settled.resolve()
    }

    if (before == null && after != null) {
      this.announce('mapped', status)
    } else if (before != null && after != null && !before.equals(after)) {
      this.announce('changed', status)
    } else if (after == null && status.state !== 'acquiring' && previous.state !== status.state) {
      this.announce('lost', status)
    }

    this.safeDispatchEvent('status', { detail: status })
  }

  private announce (event: 'mapped' | 'changed' | 'lost', detail: MappingStatus): void {
    this.metrics.onEvent(event)
    this.safeDispatchEvent(event, { detail })
  }

  /**
   * An invalid URI is a server that fails
   */
  private parseServers (servers: string[]): STUNURI[] {
    const uris: STUNURI[] = []

    for (const server of new Set(servers)) {
      try {
        uris.push(parseSTUNURI(server))
      } catch (err: any) {
        this.failures.add(server, err)
      }
    }

    return uris
  }
}
