import { createInterface } from 'node:readline'
import { TypedEventEmitter } from 'main-event'
import { pEvent } from 'p-event'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'

/**
 * A program ended, failed, or was silent for too long
 */
export class ProgramError extends Error {
  static name = 'ProgramError'
  name = 'ProgramError'
}

/**
 * A line of JSON that a program printed
 */
export interface ProgramEvent {
  event: string

  /**
   * When it was read, ms since the epoch
   */
  at: number

  [key: string]: any
}

interface ProgramEvents {
  event: CustomEvent<ProgramEvent>
}

/**
 * How long to wait for an event, in ms. A node took more than 30 s to start where many did.
 */
const EVENT_TIMEOUT = 60_000

/**
 * How long a program may take to end, in ms
 */
const STOP_TIMEOUT = 30_000

/**
 * A child process. It prints events and reads commands, a line of JSON each, and
 * ends when its standard input does: see `commands.ts`. Lines that are no JSON
 * become events `line`.
 */
export class Program extends TypedEventEmitter<ProgramEvents> {
  /**
   * Every event so far
   */
  public readonly events: ProgramEvent[] = []

  private readonly name: string
  private readonly child: ChildProcessWithoutNullStreams
  private readonly stderr: string[] = []
  private seen = 0

  constructor (name: string, child: ChildProcessWithoutNullStreams) {
    super()

    this.name = name
    this.child = child
    child.stdin.on('error', () => {})
    child.stderr.on('data', chunk => { this.stderr.push(String(chunk)) })
    createInterface({ input: child.stdout }).on('line', line => {
      const event = { ...parse(line), at: Date.now() }
      this.events.push(event)
      this.safeDispatchEvent('event', { detail: event })
    })
    child.once('close', code => {
      const detail = { event: 'exit', at: Date.now(), code, stderr: this.stderr.join('').trim() }
      this.events.push(detail)
      this.safeDispatchEvent('event', { detail })
    })
  }

  /**
   * The next event of this name. Each call goes on where the one before stopped.
   *
   * @throws {ProgramError} it did not come in time, or the program ended
   */
  async waitFor (
    name: string,
    filter: (event: ProgramEvent) => boolean = () => true,
    timeout = EVENT_TIMEOUT
  ): Promise<ProgramEvent> {
    const deadline = Date.now() + timeout

    while (true) {
      while (this.seen < this.events.length) {
        const event = this.events[this.seen++]

        if (event.event === name && filter(event)) {
          return event
        }

        if (event.event === 'exit' || event.event === 'failed') {
          throw new ProgramError(`${this.name} ended before ${name}: ${JSON.stringify(event)}`)
        }
      }

      await pEvent(this, 'event', { timeout: Math.max(1, deadline - Date.now()) }).catch(() => {
        throw new ProgramError(
          `${this.name} did not report ${name} within ${timeout} ms. It reported ` +
            `${JSON.stringify(this.events.slice(-5))} ${this.stderr.join('').slice(-2_000)}`
        )
      })
    }
  }

  /**
   * The first event that matches, of those that came and those to come
   *
   * @throws {ProgramError} it did not come in time
   */
  async happened (filter: (event: ProgramEvent) => boolean, timeout = EVENT_TIMEOUT): Promise<ProgramEvent> {
    const before = this.events.find(filter)

    if (before != null) {
      return before
    }

    try {
      const { detail } = await pEvent<'event', CustomEvent<ProgramEvent>>(this, 'event', {
        timeout,
        filter: ({ detail }) => filter(detail)
      })

      return detail
    } catch {
      throw new ProgramError(
        `${this.name} did not report the expected event within ${timeout} ms. It reported ` +
          `${JSON.stringify(this.events.slice(-5))} ${this.stderr.join('').slice(-2_000)}`
      )
    }
  }

  /**
   * Send a command
   */
  send (command: string, args: object = {}): void {
    this.child.stdin.write(`${JSON.stringify({ ...args, command })}\n`)
  }

  /**
   * Write a line to a program that reads no commands
   */
  write (line: string): void {
    this.child.stdin.write(`${line}\n`)
  }

  /**
   * Send a command, and wait for the event that answers it
   */
  async ask (command: string, args: object = {}, answer = command, timeout?: number): Promise<ProgramEvent> {
    this.seen = this.events.length
    this.send(command, args)

    return this.waitFor(answer, undefined, timeout)
  }

  /**
   * End it at once
   */
  kill (): void {
    this.child.kill('SIGKILL')
  }

  /**
   * Ask it to end, and wait until it has
   */
  async stop (): Promise<void> {
    if (this.events.some(({ event }) => event === 'exit')) {
      return
    }

    const exited = pEvent(this, 'event', { timeout: STOP_TIMEOUT, filter: ({ detail }) => detail.event === 'exit' })
    this.child.stdin.end()
    await exited.catch(() => {
      this.child.kill('SIGKILL')
      throw new ProgramError(`${this.name} did not end when its input ended. ${this.stderr.join('').slice(-2_000)}`)
    })
  }
}

/**
 * A program that is not ours prints what it likes
 */
function parse (line: string): { event: string, text?: string } {
  try {
    const event = JSON.parse(line)

    if (event != null && typeof event === 'object') {
      return event
    }
  } catch {
    // a text
  }

  return { event: 'line', text: line }
}
