import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { ChildProcess } from 'node:child_process'
import type { Serializable } from 'node:child_process'

/**
 * A program that measures in a process of its own, where no other subject has
 * warmed the compiler up for it or spoiled it. It is asked by messages, one at a
 * time.
 */
export class Child {
  private readonly process: ChildProcess

  /**
   * @param program - a module that calls `answer`
   */
  constructor (program: URL, args: string[] = [], execArgv: string[] = []) {
    this.process = fork(program, args, { execArgv, serialization: 'advanced' })
  }

  get pid (): number {
    return this.process.pid ?? -1
  }

  /**
   * @throws what the program threw, or that it has ended
   */
  async ask<T> (question: Serializable): Promise<T> {
    const waiting = new AbortController()

    try {
      const answered = once(this.process, 'message', { signal: waiting.signal })
      const ended = once(this.process, 'exit', { signal: waiting.signal }).then(([code, signal]) => { throw new Error(`A subject has ended: ${code ?? signal}`) })
      this.process.send(question)
      const [{ error, result }] = await Promise.race([answered, ended])

      if (error != null) {
        throw new Error(error)
      }

      return result
    } finally {
      waiting.abort()
    }
  }

  async stop (): Promise<void> {
    if (this.process.exitCode == null && this.process.signalCode == null) {
      const exited = once(this.process, 'exit')
      this.process.kill('SIGKILL')
      await exited
    }
  }
}

/**
 * The other side of `Child`: answer each question of the parent, end with it
 */
export function answer<Q, A extends Serializable | undefined> (handle: (question: Q) => Promise<A>): void {
  process.on('message', (question: Q) => {
    handle(question).then(
      result => { process.send?.({ result }) },
      err => { process.send?.({ error: err.stack ?? String(err) }) }
    )
  })
  process.on('disconnect', () => { process.exit() })
}
