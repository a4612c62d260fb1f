import { createSecureContext } from 'node:tls'
import { AbortError, AlreadyStartedError, InvalidParametersError } from '@libp2p/interface'
import { portSharing } from 'libp2p-tcp-stun/net'
import { createCounters, createSTUNServer, drainDeadline } from 'libp2p-tcp-stun/server'
import { CLIENT_EVENTS } from './event-forwarder.ts'
import { Heartbeats } from './heartbeats.ts'
import { HeldPorts } from './held-ports.ts'
import { shareLimits } from './share-limits.ts'
import { sumCounters } from './sum-counters.ts'
import { watchPorts } from './watch-ports.ts'
import { WatchedEventEmitter } from './watched-event-emitter.ts'
import { WorkerProcess } from './worker-process.ts'
import type { ClientEvent } from './event-forwarder.ts'
import type { ProductionServer, ProductionServerEvents, ProductionServerInit } from './types.ts'
import type { WorkerCommand } from './worker-messages.ts'
import type { AbortOptions, Logger } from '@libp2p/interface'
import type {
  DrainOptions, Limits, STUNServerAddress, STUNServerCounters, STUNServerState, STUNServerTLSInit, STUNTransport
} from 'libp2p-tcp-stun/server'
import type { SecureContextOptions } from 'node:tls'

/**
 * How long to wait before a worker is replaced, in ms: longer each time that its
 * replacement ends soon
 */
const MIN_RESTART_DELAY = 100
const MAX_RESTART_DELAY = 10_000

/**
 * A worker that ran for this long has started well, in ms
 */
const STABLE_AFTER = 10_000

/**
 * How long a worker may take to close, in ms
 */
const CLOSE_TIMEOUT = 5_000

/**
 * How often to look for silent workers, in ms
 */
const HEARTBEAT_INTERVAL = 1_000

type Status =
  { state: 'idle' } |
  { state: 'listening' } |
  { state: 'draining', done: Promise<void> } |
  { state: 'closing', done: Promise<void> }

/**
 * Starts worker processes that listen on the same ports. The kernel spreads new
 * connections among them. This process holds the ports, and serves nobody.
 */
export class MultiProcessServer extends WatchedEventEmitter<ProductionServerEvents> implements ProductionServer {
  public readonly limits: Limits

  private readonly init: ProductionServerInit
  private readonly count: number
  private readonly log?: Logger
  private tls?: STUNServerTLSInit
  private readonly processes = new Set<WorkerProcess>()
  private readonly restarts = new Set<NodeJS.Timeout>()
  private watchdog?: NodeJS.Timeout
  private shutdown = new AbortController()

  /**
   * What the workers that have ended had counted
   */
  private past = createCounters()

  private readonly ports = new HeldPorts()
  private forwarded: ClientEvent[] = []
  private status: Status = { state: 'idle' }
  private restartDelay = MIN_RESTART_DELAY

  constructor (init: ProductionServerInit) {
    super()

    const { workers = 1 } = init

    if (!Number.isInteger(workers)) {
      throw new InvalidParametersError(`workers must be a whole number, not ${workers}`)
    }

    // throws here what is invalid, not in a worker
    this.limits = createSTUNServer(init).limits
    this.init = init
    this.count = workers
    this.tls = init.tls
    this.log = init.logger?.forComponent('libp2p:tcp-stun:server')
  }

  get state (): STUNServerState {
    if (this.status.state !== 'listening') {
      return this.status.state === 'closing' ? 'draining' : this.status.state
    }

    if ([...this.processes].some(({ overloaded }) => overloaded)) {
      return 'overloaded'
    }

    return this.workers.length < this.count ? 'degraded' : 'listening'
  }

  get addresses (): STUNServerAddress[] {
    return this.ports.addresses
  }

  get workers (): number[] {
    return [...this.processes].filter(({ state }) => state === 'serving').map(({ pid }) => pid)
  }

  get counters (): STUNServerCounters {
    return sumCounters([this.past, ...[...this.processes].map(({ counters }) => counters)])
  }

  async listen (options: AbortOptions = {}): Promise<void> {
    if (this.status.state !== 'idle') {
      throw new AlreadyStartedError('The STUN server is already listening')
    }

    if (portSharing() === 'unsupported') {
      throw new InvalidParametersError('Workers need a system that shares ports (Linux)')
    }

    const status: Status = { state: 'listening' }
    this.status = status

    try {
      const { listen = [{ host: '0.0.0.0', port: 3478 }] } = this.init
      listen.forEach(({ host, port }) => { this.ports.hold('tcp', host, port) })
      const secure = this.tls == null ? [] : this.tls.listen ?? [{ host: '0.0.0.0', port: 5349 }]
      secure.forEach(({ host, port }) => { this.ports.hold('tls', host, port) })
      this.startWatchdog()

      await Promise.all(Array.from({ length: this.count }, async () => this.start(options)))

      // a worker may have listened before it was told to stop
      if (this.status !== status) {
        throw new AbortError('The STUN server was closed')
      }

      if (this.log != null) {
        watchPorts(this, this.count, { log: this.log, signal: this.shutdown.signal })
      }
    } catch (err) {
      if (this.status !== status) {
        throw new AbortError('The STUN server was closed')
      }

      await this.close()
      throw err
    }
  }

  async updateTLS (options: SecureContextOptions): Promise<void> {
    if (this.tls == null) {
      throw new InvalidParametersError('The server has no TLS')
    }

    createSecureContext(options)
    this.tls = { ...options, listen: this.tls.listen }
    this.processes.forEach(worker => { worker.send({ type: 'tls', options }) })
  }

  async drain (options: DrainOptions = {}): Promise<void> {
    if (this.status.state === 'listening') {
      const deadline = drainDeadline(options)
      const { signal } = options
      const abort = (): void => { this.processes.forEach(worker => { worker.send({ type: 'close' }) }) }
      signal?.addEventListener('abort', abort, { once: true })
      const done = this.end({ type: 'drain', deadline }, drainDeadline({ deadline: deadline + CLOSE_TIMEOUT }))
        .finally(() => { signal?.removeEventListener('abort', abort) })
      this.status = { state: 'draining', done }

      if (signal?.aborted === true) {
        abort()
      }
    }

    if (this.status.state === 'draining') {
      await this.status.done
    }
  }

  async close (): Promise<void> {
    if (this.status.state === 'idle') {
      return
    }

    if (this.status.state !== 'closing') {
      this.status = { state: 'closing', done: this.end({ type: 'close' }, CLOSE_TIMEOUT) }
    }

    await this.status.done
  }

  /**
   * Let the workers forward the events that have listeners here
   */
  protected onListenersChange (): void {
    const events = CLIENT_EVENTS.filter(name => this.listenerCount(name) > 0)

    if (events.join() !== this.forwarded.join()) {
      this.forwarded = events
      this.processes.forEach(worker => { worker.send({ type: 'forward', events }) })
    }
  }

  private startWatchdog (): void {
    const heartbeats = new Heartbeats(HEARTBEAT_INTERVAL, performance.now())

    this.watchdog = setInterval(() => {
      for (const worker of heartbeats.findSilent(this.processes, performance.now())) {
        this.log?.error('worker %d does not respond and is killed', worker.pid)
        worker.kill()
      }
    }, HEARTBEAT_INTERVAL).unref()
  }

  private async end (command: WorkerCommand, timeout: number): Promise<void> {
    this.restarts.forEach(timer => { clearTimeout(timer) })
    this.restarts.clear()
    this.shutdown.abort()
    this.shutdown = new AbortController()

    await Promise.all([...this.processes].map(async worker => worker.end(command, timeout)))

    clearInterval(this.watchdog)
    this.ports.release()
    this.status = { state: 'idle' }
  }

  /**
   * @throws what kept the worker from listening
   */
  private async start (options: AbortOptions = {}): Promise<void> {
    const worker = new WorkerProcess({
      onListening: ({ pid }) => { this.safeDispatchEvent('worker:start', { detail: { pid } }) },
      onEvent: (name, detail) => { this.safeDispatchEvent(name, { detail }) },
      onExit: (worker, cause) => { this.onExit(worker, cause) }
    })
    this.processes.add(worker)

    const { logger, workers, ...init } = this.init
    const listen = (transport: STUNTransport): STUNServerAddress[] =>
      this.addresses.filter(address => address.transport === transport)

    await worker.listen({
      type: 'listen',
      events: this.forwarded,
      init: {
        ...init,
        ...shareLimits(this.limits, this.count),
        listen: listen('tcp'),
        tls: this.tls == null ? undefined : { ...this.tls, listen: listen('tls') }
      }
    }, options)
  }

  private onExit (worker: WorkerProcess, cause: number | string): void {
    this.processes.delete(worker)
    this.past = sumCounters([this.past, { ...worker.counters, connections: 0 }])

    if (this.status.state !== 'listening' || worker.state === 'starting') {
      return
    }

    const { pid } = worker
    this.log?.error('worker %d ended (%s) and is replaced', pid, cause)
    this.safeDispatchEvent('worker:exit', { detail: { pid, cause } })
    this.restartDelay =
      performance.now() - worker.startedAt > STABLE_AFTER
        ? MIN_RESTART_DELAY
        : Math.min(2 * this.restartDelay, MAX_RESTART_DELAY)
    this.replaceLater()
  }

  private replaceLater (): void {
    const timer = setTimeout(() => {
      this.restarts.delete(timer)
      this.start().catch(err => {
        this.log?.error('a worker could not be replaced - %e', err)

        if (this.status.state === 'listening') {
          this.restartDelay = Math.min(2 * this.restartDelay, MAX_RESTART_DELAY)
          this.replaceLater()
        }
      })
    }, this.restartDelay)
    this.restarts.add(timer)
  }
}
