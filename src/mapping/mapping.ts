import { isIP } from 'node:net'
import { InvalidParametersError, NotStartedError } from '@libp2p/interface'
import { getNetConfig } from '@libp2p/utils'
import { TypedEventEmitter, setMaxListeners } from 'main-event'
import { raceSignal } from 'race-signal'
import { toMultiaddr } from '../address/endpoint.ts'
import { portSharing } from '../net/port-sharing.ts'
import { systemClock } from '../runtime/clock.ts'
import { MappingController } from './controller.ts'
import { PortSharingUnsupportedError } from './errors.ts'
import { toExternalAddress } from './external-address.ts'
import { Failures } from './failures.ts'
import { MappingMetrics } from './metrics.ts'
import { validateMappingOptions } from './options.ts'
import { externalOf, isSameStatus } from './status.ts'
import { toStatus } from './to-status.ts'
import type { BindOnceOptions } from './bind-once.ts'
import type { Outcome } from './decision.ts'
import type { MappingOptions, PublicMappingComponents, PublicMappingInit } from './options.ts'
import type { PortSample } from './port-samples.ts'
import type { MappingStatus } from './status.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { Clock } from '../runtime/clock.ts'
import type { ComponentLogger, Logger } from '@libp2p/interface'

export interface PublicMappingEvents {
  /**
   * There is an external address, and there was none
   */
  mapped: CustomEvent<MappingStatus>

  /**
   * The external address is another one than before
   */
  changed: CustomEvent<MappingStatus>

  /**
   * There is no external address that peers could use
   */
  lost: CustomEvent<MappingStatus>

  /**
   * The status changed in any way: one of the above, or a server failed or recovered
   */
  status: CustomEvent<MappingStatus>
}

/**
 * Holds the external address of one local TCP port: asks STUN servers from that
 * port, keeps the connections open so that the NAT keeps its mapping, replaces those
 * that end, and reports the address.
 *
 * A listener must have the port, bound so that it can be shared: `tcpSTUN()` does
 * that, any other Node program does by `server.listen({ port, reusePort: true })`.
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
  private readonly controller: MappingController
  private readonly failures: Failures
  private readonly metrics: MappingMetrics
  private readonly shutdown = new AbortController()
  private readonly settled = Promise.withResolvers<void>()
  private isStarted = false

  /**
   * @throws {InvalidParametersError} an option is invalid. An invalid server URI does
   * not throw: it is a failure in the status, and the other servers are used.
   */
  constructor (components: PublicMappingComponents, init: PublicMappingInit) {
    super()

    this.init = init
    this.options = validateMappingOptions(init)
    const { host, port } = getNetConfig(init.listener)
    this.local = { host, port: port ?? 0 }
    this.log = components.logger == null ? undefined : mappingLog(components.logger)
    this.clock = init.clock ?? systemClock
    this.metrics = new MappingMetrics(components.metrics, init.listener.toString())
    this.failures = new Failures(this.clock, this.log)
    this.status = {
      state: 'acquiring',
      listener: init.listener,
      keepAliveInterval: this.options.keepAliveInterval,
      failures: []
    }
    const { stunServers, stunCredential, isHeld, tls, dns, network, random } = init
    this.controller = new MappingController({
      stunServers,
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
      failures: this.failures,
      signal: this.shutdown.signal,
      onOutcome: (outcome, keepAliveInterval) => { this.onOutcome(outcome, keepAliveInterval) }
    })
    setMaxListeners(Infinity, this.shutdown.signal)
  }

  /**
   * Begin the search, and wait for the first status that is not `acquiring`.
   * When the signal is aborted only the wait ends: the search goes on until
   * `close()`.
   *
   * @throws {AbortError} the signal was aborted
   * @throws {NotStartedError} the mapping was closed
   * @throws the system's error when it cannot tell whether it shares ports, for example EMFILE
   */
  async start (signal?: AbortSignal): Promise<MappingStatus> {
    this.shutdown.signal.throwIfAborted()

    if (!this.isStarted) {
      const sharing = portSharing()
      this.isStarted = true

      if (sharing === 'unsupported') {
        this.setStatus({
          ...this.status,
          state: 'unsupported',
          reason: new PortSharingUnsupportedError(
            `This runtime cannot share a TCP port between a listener and STUN connections on ${process.platform}`
          )
        })
      } else {
        this.controller.start()
      }
    }

    await raceSignal(this.settled.promise, signal)

    return this.status
  }

  /**
   * Report the endpoint that a remote host observes when the port connects to it. A
   * libp2p peer reports it by `observedAddr` of identify. It is never announced, but
   * beside one STUN server it shows how the NAT maps: a host of another address that
   * sees the same confirms the address, and three networks that all see others mean
   * `endpoint-dependent`, unless two servers have agreed on the address. Then they
   * have more servers asked. An endpoint that no peer could use is ignored.
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

    this.controller.observe({ host, external: toMultiaddr(usable).toString() })
  }

  /**
   * How the NAT has mapped the latest connections to servers, the oldest first: at most
   * 32, those that live and those of the last five minutes. Nothing is asked for it.
   */
  get samples (): PortSample[] {
    return this.controller.listSamples()
  }

  /**
   * Learn how the NAT maps a fresh local port now, by one Binding. Its connection is
   * reset. Two of them bracket the ports of the connections between them.
   *
   * @throws {NoServerAvailableError} every server was connected to within `minReconnectInterval`
   * @throws {NotStartedError} the mapping was closed
   * @throws {AbortError} the signal was aborted
   * @throws {InvalidMappedAddressError} no peer could use the address
   * @throws what `STUNClient` throws: the server did not answer
   */
  async bindOnce (options?: BindOnceOptions): Promise<PortSample> {
    return this.controller.bindOnce(options)
  }

  /**
   * Give up the mapping: all connections are reset, nothing is left behind
   */
  async close (): Promise<void> {
    this.shutdown.abort(new NotStartedError('The mapping was closed'))
    this.settled.promise.catch(() => {})
    this.settled.reject(this.shutdown.signal.reason)
    this.metrics.close()
    await this.controller.close()
  }

  private onOutcome (outcome: Outcome, keepAliveInterval: number): void {
    this.setStatus(toStatus(outcome, this.status, {
      listener: this.init.listener,
      keepAliveInterval,
      failures: this.failures.list(),
      failure: this.failures.toError(),
      date: this.clock.date()
    }))
  }

  private setStatus (status: MappingStatus): void {
    const previous = this.status
    const before = externalOf(previous)
    const after = externalOf(status)

    if (isSameStatus(previous, status)) {
      return
    }

    this.status = status
    this.metrics.onStatus(status, this.clock.date())

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
      // what peers saw before is not about the new address
      this.controller.forgetPeers()
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
}

/**
 * One log for all mappings of a logger: each takes 2.6 kB
 */
const logs = new WeakMap<ComponentLogger, Logger>()

function mappingLog (logger: ComponentLogger): Logger {
  const log = logs.get(logger) ?? logger.forComponent('libp2p:tcp-stun:mapping')
  logs.set(logger, log)

  return log
}
