import { isIP } from 'node:net'
import { InvalidParametersError, NotStartedError } from '@libp2p/interface'
import { TypedEventEmitter, setMaxListeners } from 'main-event'
import { raceSignal } from 'race-signal'
import { toMultiaddr } from '../multiaddr/net-config.ts'
import { portSharing } from '../net/port-sharing.ts'
import { systemClock } from '../runtime/clock.ts'
import { DEFAULT_STUN_SERVERS } from '../stun/default-servers.ts'
import { toExternalAddress } from '../stun/external-address.ts'
import { MappingController } from './controller.ts'
import { PortSharingUnsupportedError } from './errors.ts'
import { Failures } from './failures.ts'
import { assertPortShared, toListeningEndpoint } from './listening-endpoint.ts'
import { logStatus, mappingLog } from './log.ts'
import { MappingMetrics } from './metrics.ts'
import { parseServers, validatePublicMapping } from './options.ts'
import { externalOf, isSameStatus } from './status.ts'
import { toStatus } from './to-status.ts'
import type { BindOnceOptions } from './bind-once.ts'
import type { Outcome } from './decision.ts'
import type { PublicMappingEvents } from './events.ts'
import type { MappingOptions, PublicMappingComponents, PublicMappingInit } from './options.ts'
import type { PortSample } from './port-samples.ts'
import type { MappingStatus } from './status.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { Clock } from '../runtime/clock.ts'
import type { STUNURI } from '../stun/uri.ts'
import type { AbortOptions, Logger } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * From `start` to `stop`
 */
interface Search {
  controller: MappingController
  failures: Failures
  shutdown: AbortController

  /**
   * Resolves with the first status that is not `acquiring`
   */
  settled: PromiseWithResolvers<void>
}

/**
 * Holds the public address of one local TCP port: asks STUN servers from that port,
 * keeps the connections open so that the NAT keeps its mapping, replaces those that end,
 * and reports the address.
 *
 * A listener must have the port, and share it: `tcpSTUN()` does that, any other Node
 * program does by `server.listen({ port, reusePort: true })`.
 */
export class PublicMapping extends TypedEventEmitter<PublicMappingEvents> {
  /**
   * What is known now
   */
  public status: MappingStatus

  private readonly init: PublicMappingInit
  private readonly options: Required<MappingOptions>
  private readonly servers: STUNURI[]
  private readonly local: Endpoint
  private readonly listener: Multiaddr
  private readonly log: Logger | undefined
  private readonly clock: Clock
  private readonly metrics: MappingMetrics
  private search?: Search

  /**
   * @param init - the listener and the options
   * @param components - of libp2p, where there are some
   * @throws {InvalidParametersError} an option is invalid; the message names it
   */
  constructor (init: PublicMappingInit, components: PublicMappingComponents = {}) {
    super()

    this.init = init
    this.options = validatePublicMapping(init)
    this.servers = parseServers(init.stunServers ?? DEFAULT_STUN_SERVERS)
    this.local = toListeningEndpoint(init.listener)
    this.listener = toMultiaddr(this.local)
    this.log = components.logger == null ? undefined : mappingLog(components.logger)
    this.clock = init.clock ?? systemClock
    this.metrics = new MappingMetrics(components.metrics, this.listener.toString())
    this.status = this.initialStatus()
  }

  /**
   * Begin the search, and wait for the first status that is not `acquiring`.
   * When the signal is aborted only the wait ends: the search goes on until
   * `stop()`.
   *
   * @throws {AbortError} the signal was aborted
   * @throws {NotStartedError} the mapping was stopped meanwhile
   * @throws {PortNotSharedError} the listener does not share its port
   * @throws the system's error when it cannot tell whether it shares ports, for example EMFILE
   */
  async start ({ signal }: AbortOptions = {}): Promise<MappingStatus> {
    const { settled } = this.search ?? this.begin()
    await raceSignal(settled.promise, signal)

    return this.status
  }

  /**
   * Report the endpoint that a remote host observes when the port connects to it. A
   * libp2p peer reports it by `observedAddr` of identify. It is never announced, but it
   * shows how the NAT maps. If only one STUN server has answered, a host at another IP
   * address that observes the same endpoint confirms it; if hosts of three networks observe
   * others, the state is `endpoint-dependent`. If two servers have agreed, such hosts only
   * cause more servers to be asked. An endpoint that no peer could use is ignored.
   *
   * @param host - the IP address of the remote host
   * @param external - what it observes
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
      this.log?.trace('ignoring what the peer at %s observes - %e', host, err)
      return
    }

    this.search?.controller.observe({ host, external: toMultiaddr(usable).toString() })
  }

  /**
   * How the NAT has mapped the latest connections to servers, the oldest first: at most
   * 32, those that are open and those of the last five minutes. No server is asked for it.
   */
  get samples (): PortSample[] {
    return this.search?.controller.listSamples() ?? []
  }

  /**
   * Learn how the NAT maps a fresh local port now, by one Binding. Its connection is
   * reset. Two of them bracket the ports of the connections between them.
   *
   * @throws {NoServerAvailableError} every server was connected to within `minReconnectInterval`
   * @throws {NotStartedError} the mapping is not started, or was stopped meanwhile
   * @throws {AbortError} the signal was aborted
   * @throws {InvalidMappedAddressError} no peer could use the address
   * @throws what `STUNClient` throws: the server did not answer
   */
  async bindOnce (options?: BindOnceOptions): Promise<PortSample> {
    if (this.search == null) {
      throw new NotStartedError('The mapping is not started')
    }

    return this.search.controller.bindOnce(options)
  }

  /**
   * Give up the mapping and reset all connections. No event is dispatched. `start()` can be
   * called again.
   */
  async stop (): Promise<void> {
    const { search } = this

    if (search == null) {
      return
    }

    this.search = undefined
    this.status = this.initialStatus()
    search.shutdown.abort(new NotStartedError('The mapping was stopped'))
    search.settled.reject(search.shutdown.signal.reason)
    this.metrics.close()
    await search.controller.close()
  }

  private begin (): Search {
    const sharing = portSharing(this.local)

    if (sharing !== 'unsupported') {
      assertPortShared(this.local)
    }

    const shutdown = new AbortController()
    const failures = new Failures(this.clock, this.log)
    const settled = Promise.withResolvers<void>()
    // nobody may wait
    settled.promise.catch(() => {})
    setMaxListeners(Infinity, shutdown.signal)
    const search = { controller: this.createController(failures, shutdown.signal), failures, shutdown, settled }
    this.search = search

    if (sharing === 'unsupported') {
      this.setStatus(search, {
        ...this.status,
        state: 'unsupported',
        reason: new PortSharingUnsupportedError(
          `This runtime cannot share a TCP port between a listener and STUN connections on ${process.platform}`
        )
      })
    } else {
      search.controller.start()
    }

    return search
  }

  private createController (failures: Failures, signal: AbortSignal): MappingController {
    const { stunCredential, isHeld, tls, dns, network, random } = this.init

    return new MappingController({
      servers: this.servers,
      stunCredential,
      isHeld,
      tls,
      dns,
      network,
      random,
      options: this.options,
      local: this.local,
      clock: this.clock,
      log: this.log,
      metrics: this.metrics,
      failures,
      signal,
      onOutcome: (outcome, keepAliveInterval) => { this.onOutcome(outcome, keepAliveInterval) }
    })
  }

  private initialStatus (): MappingStatus {
    const { listener, options: { keepAliveInterval } } = this

    return { state: 'acquiring', listener, keepAliveInterval, failures: [] }
  }

  private onOutcome (outcome: Outcome, keepAliveInterval: number): void {
    const { search, listener } = this

    if (search != null) {
      this.setStatus(search, toStatus(outcome, this.status, {
        listener,
        keepAliveInterval,
        failures: search.failures.list(),
        failure: search.failures.toError(),
        date: this.clock.date()
      }))
    }
  }

  private setStatus ({ controller, settled }: Search, status: MappingStatus): void {
    const previous = this.status
    const before = externalOf(previous)
    const after = externalOf(status)

    if (isSameStatus(previous, status)) {
      return
    }

    this.status = status
    this.metrics.onStatus(status, this.clock.date())

    // a failure of one server is not reported before the others have answered
    if (status.state === 'acquiring' && previous.state === 'acquiring') {
      return
    }

    if (status.state !== previous.state || after?.toString() !== before?.toString()) {
      logStatus(status, this.log)
    }

    if (status.state !== 'acquiring') {
      settled.resolve()
    }

    if ('external' in status) {
      if (before == null) {
        this.announce('mapped', status)
      } else if (!before.equals(status.external)) {
        // peers have reported on the old address
        controller.forgetPeers()
        this.announce('changed', status)
      }
    } else if (status.state !== 'acquiring' && previous.state !== status.state) {
      this.announce('lost', status)
    }

    this.safeDispatchEvent('status', { detail: status })
  }

  private announce <Name extends 'mapped' | 'changed' | 'lost'>(
    name: Name,
    detail: PublicMappingEvents[Name]['detail']
  ): void {
    this.metrics.onEvent(name)
    this.safeDispatchEvent(name, { detail })
  }
}
