import { fork } from 'node:child_process'
import { isIPv6 } from 'node:net'
import { createSecureContext } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { AlreadyStartedError, InvalidParametersError } from '@libp2p/interface'
import { assertPortFree, bindSocket, portSharing } from 'libp2p-tcp-stun/net'
import { createCounters, sumCounters } from 'libp2p-tcp-stun/server'
import { shareLimits, validateLimits } from 'libp2p-tcp-stun/server'
import { DEFAULT_DRAIN_DEADLINE } from 'libp2p-tcp-stun/server'
import { createSTUNServer } from 'libp2p-tcp-stun/server'
import { TypedEventEmitter } from 'main-event'
import { pEvent } from 'p-event'
import { CLIENT_EVENTS } from './worker-events.ts'
import type { ClientEvent } from './worker-events.ts'
import type { FromWorker, ToWorker } from './worker-messages.ts'
import type { AbortOptions, Logger } from '@libp2p/interface'
import type { BoundSocket } from 'libp2p-tcp-stun/net'
import type { DrainOptions, STUNServer, STUNServerAddress, STUNServerEvents, STUNServerInit, STUNServerState, STUNServerTLSInit, Transport } from 'libp2p-tcp-stun/server'
import type { STUNServerCounters } from 'libp2p-tcp-stun/server'
import type { EventHandler } from 'main-event'
import type { ChildProcess } from 'node:child_process'
import type { SecureContextOptions } from 'node:tls'

/**
 * A worker that ends at once again is replaced after ever longer, in ms
 */
const MIN_RESTART_DELAY = 100
const MAX_RESTART_DELAY = 10_000

/**
 * A worker that served so long had no trouble to start, in ms
 */
const STABLE_AFTER = 10_000

/**
 * How long a worker may take to close, in ms
 */
const CLOSE_TIMEOUT = 5_000

interface Worker {
  process: ChildProcess
  started: number
  counters: STUNServerCounters
  state: 'starting' | 'serving'
}

type Status =
  { state: 'idle' } |
  { state: 'listening' } |
  { state: 'draining', done: Promise<void> } |
  { state: 'closing', done: Promise<void> }

/**
 * Starts processes that each listen on the same ports: the kernel deals new
 * connections out among them. This one serves nobody, it holds the ports.
 */
export class STUNServerWorkers extends TypedEventEmitter<STUNServerEvents> implements STUNServer {
  public addresses: STUNServerAddress[] = []

  private readonly init: STUNServerInit
  private readonly count: number
  private readonly log?: Logger
  private tls?: STUNServerTLSInit
  private readonly running = new Set<Worker>()
  private readonly restarts = new Set<NodeJS.Timeout>()

  /**
   * What the workers that are gone have counted
   */
  private past = createCounters()

  /**
   * Bound but not listening: the ports stay ours while a worker is replaced
   */
  private held: BoundSocket[] = []
  private watched: ClientEvent[] = []
  private status: Status = { state: 'idle' }
  private delay = MIN_RESTART_DELAY

  constructor (init: STUNServerInit) {
    super()

    const { workers = 1 } = init

    if (!Number.isInteger(workers)) {
      throw new InvalidParametersError(`workers must be a whole number, not ${workers}`)
    }

    // what is wrong is said here, not in a worker
    createSTUNServer(init)

    this.init = { ...init, ...shareLimits(validateLimits(init), workers) }
    this.count = workers
    this.tls = init.tls
    this.log = init.logger?.forComponent('libp2p:tcp-stun:server')
  }

  get state (): STUNServerState {
    if (this.status.state === 'listening') {
      return this.workers.length < this.count ? 'degraded' : 'listening'
    }

    return this.status.state === 'closing' ? 'draining' : this.status.state
  }

  get workers (): number[] {
    return [...this.running].flatMap(({ state, process }) => state === 'serving' && process.pid != null ? [process.pid] : [])
  }

  get counters (): STUNServerCounters {
    return sumCounters([this.past, ...[...this.running].map(({ counters }) => counters)])
  }

  addEventListener<K extends keyof STUNServerEvents> (type: K, listener: EventHandler<STUNServerEvents[K]> | null, options?: boolean | AddEventListenerOptions): void {
    super.addEventListener(type, listener, options)
    this.watch()
  }

  removeEventListener (type: string, listener?: EventHandler<any> | null, options?: boolean | EventListenerOptions): void {
    super.removeEventListener(type as keyof STUNServerEvents, listener, options)
    this.watch()
  }

  async listen (options: AbortOptions = {}): Promise<void> {
    if (this.status.state !== 'idle') {
      throw new AlreadyStartedError('The STUN server is already listening')
    }

    if (portSharing() === 'unsupported') {
      throw new InvalidParametersError('Workers need a system that shares ports (Linux)')
    }

    this.status = { state: 'listening' }

    try {
      const { listen = [{ host: '0.0.0.0', port: 3478 }] } = this.init
      listen.forEach(({ host, port }) => { this.hold('tcp', host, port) })
      const secure = this.tls == null ? [] : this.tls.listen ?? [{ host: '0.0.0.0', port: 5349 }]
      secure.forEach(({ host, port }) => { this.hold('tls', host, port) })

      await Promise.all(Array.from({ length: this.count }, async () => this.start(options)))
    } catch (err) {
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
    this.running.forEach(worker => { send(worker, { type: 'tls', options }) })
  }

  async drain ({ deadline = DEFAULT_DRAIN_DEADLINE, signal }: DrainOptions = {}): Promise<void> {
    if (this.status.state === 'listening') {
      const abort = (): void => { this.running.forEach(worker => { send(worker, { type: 'close' }) }) }
      signal?.addEventListener('abort', abort, { once: true })
      const done = this.end({ type: 'drain', deadline }, deadline + CLOSE_TIMEOUT)
        .finally(() => { signal?.removeEventListener('abort', abort) })
      this.status = { state: 'draining', done }
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
   * Let the workers pass on what is listened to, and nothing else
   */
  private watch (): void {
    const events = CLIENT_EVENTS.filter(name => this.listenerCount(name) > 0)

    if (events.join() !== this.watched.join()) {
      this.watched = events
      this.running.forEach(worker => { send(worker, { type: 'watch', events }) })
    }
  }

  /**
   * Keep a port, and know its number when the system chooses it
   *
   * @throws the system's error
   */
  private hold (transport: Transport, host: string, port: number): void {
    const options = { host, port, ipv6Only: isIPv6(host) }
    assertPortFree(options)
    const bound = bindSocket(options)
    this.held.push(bound)
    this.addresses.push({ host: bound.host, port: bound.port, transport })
  }

  private async end (message: ToWorker, timeout: number): Promise<void> {
    this.restarts.forEach(timer => { clearTimeout(timer) })
    this.restarts.clear()

    await Promise.all([...this.running].map(async worker => {
      const timer = setTimeout(() => { worker.process.kill('SIGKILL') }, timeout)
      const exited = pEvent(worker.process, 'exit', { rejectionEvents: [] })
      send(worker, message)
      await exited
      clearTimeout(timer)
    }))

    this.held.splice(0).forEach(bound => { bound.close() })
    this.addresses = []
    this.status = { state: 'idle' }
  }

  /**
   * @throws what kept the worker from listening
   */
  private async start (options: AbortOptions = {}): Promise<void> {
    const { logger, workers, ...init } = this.init
    const child = fork(fileURLToPath(new URL('./worker.js', import.meta.url)), [], { serialization: 'advanced' })
    const worker: Worker = { process: child, started: performance.now(), counters: createCounters(), state: 'starting' }
    let failure = new Error('A worker of the STUN server ended before it listened')
    this.running.add(worker)

    child.on('error', err => { failure = err })
    child.on('message', (message: FromWorker) => {
      if (message.type === 'counters') {
        worker.counters = message.counters
      } else if (message.type === 'event') {
        this.safeDispatchEvent(message.name, { detail: message.detail })
      } else if (message.type === 'failed') {
        failure = Object.assign(new Error(message.message), { code: message.code })
      } else {
        worker.state = 'serving'
        this.safeDispatchEvent('worker:start', { detail: { pid: child.pid ?? 0 } })
      }
    })

    const listening = pEvent<'message', FromWorker>(child, 'message', { ...options, filter: ({ type }) => type === 'listening', rejectionEvents: [] })
    const exited = new Promise<void>(resolve => {
      child.once('exit', (code, signal) => {
        this.onExit(worker, signal ?? code ?? 0)
        resolve()
      })
    })

    const addresses = (transport: Transport): STUNServerAddress[] => this.addresses.filter(address => address.transport === transport)
    send(worker, { type: 'listen', events: this.watched, init: { ...init, listen: addresses('tcp'), tls: this.tls == null ? undefined : { ...this.tls, listen: addresses('tls') } } })

    await Promise.race([listening, exited.then(() => { throw failure })])
  }

  private onExit (worker: Worker, cause: number | string): void {
    this.running.delete(worker)
    this.past = sumCounters([this.past, { ...worker.counters, connections: 0 }])

    if (this.status.state !== 'listening' || worker.state === 'starting') {
      return
    }

    const pid = worker.process.pid ?? 0
    this.log?.error('worker %d ended (%s) and is replaced', pid, cause)
    this.safeDispatchEvent('worker:exit', { detail: { pid, cause } })
    this.delay = performance.now() - worker.started > STABLE_AFTER ? MIN_RESTART_DELAY : Math.min(2 * this.delay, MAX_RESTART_DELAY)
    this.replaceLater()
  }

  private replaceLater (): void {
    const timer = setTimeout(() => {
      this.restarts.delete(timer)
      this.start().catch(err => {
        this.log?.error('a worker could not be replaced - %e', err)

        if (this.status.state === 'listening') {
          this.delay = Math.min(2 * this.delay, MAX_RESTART_DELAY)
          this.replaceLater()
        }
      })
    }, this.delay)
    this.restarts.add(timer)
  }
}

function send (worker: Worker, message: ToWorker): void {
  if (worker.process.connected) {
    // one that has just ended is replaced
    worker.process.send(message, () => {})
  }
}
