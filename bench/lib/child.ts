import { spawn } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { emit, handleCommands } from '../../test/child/commands.ts'
import { Program } from '../../test/child/program.ts'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'

/**
 * A program that measures in a process of its own, where no other subject has
 * influenced the compiler. It answers one question at a time.
 */
export class Child {
  private readonly process: ChildProcessWithoutNullStreams
  private readonly program: Program

  /**
   * The module calls `answer`
   */
  constructor (module: URL, args: string[] = [], execArgv: string[] = []) {
    const file = fileURLToPath(module)
    this.process = spawn(process.execPath, [...execArgv, file, ...args])
    this.program = new Program(path.basename(file), this.process)
  }

  /**
   * @throws {ProgramError} the program has failed or ended
   */
  async ask<T> (question: object): Promise<T> {
    const { result } = await this.program.ask('question', { question }, 'answer', Infinity)

    return result
  }

  /**
   * It does nothing until `resume()`. The kernel goes on to acknowledge what is sent to it.
   */
  pause (): void {
    this.process.kill('SIGSTOP')
  }

  resume (): void {
    this.process.kill('SIGCONT')
  }

  async stop (): Promise<void> {
    this.program.kill()
    await this.program.happened(({ event }) => event === 'exit')
  }
}

/**
 * The other side of `Child`: answers each question of the parent, and ends with it
 */
export function answer<Q, A> (handle: (question: Q) => Promise<A>): void {
  handleCommands({
    question: async ({ question }) => { emit('answer', { result: await handle(question) }) }
  }, () => { process.exit() })
}
