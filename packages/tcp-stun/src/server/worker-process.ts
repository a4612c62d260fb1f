import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { createCounters } from 'libp2p-tcp-stun/server'
import { pEvent } from 'p-event'
import type { ClientEvent, ClientEventDetail } from './event-forwarder.ts'
import type { Heartbeat } from './heartbeats.ts'
import type { WorkerCommand, WorkerReport } from './worker-messages.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { ChildProcess } from 'node:child_process'

export interface WorkerProcessInit {
  onListening(worker: WorkerProcess): void
  onEvent(name: ClientEvent, detail: ClientEventDetail): void
  onExit(worker: WorkerProcess, cause: number | string): void
}

/**
 * A child process that serves
 */
export class WorkerProcess implements Heartbeat {
  readonly startedAt = performance.now()
  heardAt = this.startedAt
  state: 'starting' | 'serving' = 'starting'
  counters = createCounters()

  /**
   * Whether it refuses new connections
   */
  overloaded = false

  private readonly process: ChildProcess
  private readonly exited: Promise<unknown>
  private failure = new Error('A worker of the STUN server ended before it listened')

  constructor (init: WorkerProcessInit) {
    this.process = fork(fileURLToPath(new URL('./worker.js', import.meta.url)), [], {
      serialization: 'advanced',
      execArgv: [
        // a larger nursery keeps a third of what an idle connection takes as garbage, and is no faster here
        '--max-semi-space-size=4',
        ...process.execArgv,
        // to give memory back after a burst
        '--expose-gc'
      ],
      // one malloc arena instead of one for each thread: a worker has one busy thread
      env: { MALLOC_ARENA_MAX: '1', ...process.env }
    })
    this.exited = pEvent(this.process, 'exit', { rejectionEvents: [] })
    this.process.on('error', err => { this.failure = err })
    this.process.on('message', (report: WorkerReport) => { this.onReport(report, init) })
    this.process.once('exit', (code, signal) => { init.onExit(this, signal ?? code ?? 0) })
  }

  get pid (): number {
    return this.process.pid ?? 0
  }

  /**
   * @throws what kept it from listening
   * @throws {AbortError} the signal was aborted
   */
  async listen (command: WorkerCommand & { type: 'listen' }, options: AbortOptions): Promise<void> {
    const listening = pEvent<'message', WorkerReport>(this.process, 'message', {
      ...options,
      filter: ({ type }) => type === 'listening',
      rejectionEvents: []
    })
    this.send(command)

    await Promise.race([listening, this.exited.then(() => { throw this.failure })])
  }

  send (command: WorkerCommand): void {
    if (this.process.connected) {
      // it may end meanwhile
      this.process.send(command, () => {})
    }
  }

  kill (): void {
    this.process.kill('SIGKILL')
  }

  /**
   * Send a command to drain or to close, and wait until the process has ended. It
   * is killed after `timeout` ms.
   */
  async end (command: WorkerCommand, timeout: number): Promise<void> {
    const timer = setTimeout(() => { this.kill() }, timeout)
    this.send(command)
    await this.exited
    clearTimeout(timer)
  }

  private onReport (report: WorkerReport, init: WorkerProcessInit): void {
    this.heardAt = performance.now()

    if (report.type === 'status') {
      this.counters = report.counters
      this.overloaded = report.overloaded
    } else if (report.type === 'event') {
      init.onEvent(report.name, report.detail)
    } else if (report.type === 'failed') {
      this.failure = Object.assign(new Error(report.message), { code: report.code })
    } else {
      this.state = 'serving'
      init.onListening(this)
    }
  }
}
