import { spawn } from 'node:child_process'
import { pEvent } from 'p-event'
import { LAB_PATH, labSupport, unshareArgs } from './support.ts'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'

/**
 * A command of the laboratory failed
 */
export class LabError extends Error {
  static name = 'LabError'
  name = 'LabError'
}

/**
 * The namespaces that everything of one laboratory is in. They belong to one
 * process whose standard input is a pipe from here: however this process ends,
 * that one does too, and the kernel removes the networks with the last process
 * that is in them. So laboratories leave nothing behind and do not see each other.
 */
export class Ground {
  private readonly holder: ChildProcessWithoutNullStreams
  private readonly enter: string[]

  private constructor (holder: ChildProcessWithoutNullStreams, enter: string[]) {
    this.holder = holder
    this.enter = enter
  }

  /**
   * @throws {LabError} this machine can not have a laboratory, with what is missing
   */
  static async create (): Promise<Ground> {
    const support = labSupport()

    if (!support.supported) {
      throw new LabError(`No laboratory on this machine, it needs ${support.missing}`)
    }

    // a private /run/netns: names of namespaces are files
    const holder = spawn('unshare', [...unshareArgs(support.privileges), 'sh', '-c', 'mount -t tmpfs none /run && mkdir -p /run/netns && echo ready && exec cat'], { env: { ...process.env, PATH: LAB_PATH } })
    const stderr: string[] = []
    holder.stderr.on('data', chunk => { stderr.push(String(chunk)) })

    try {
      await pEvent(holder.stdout, 'data', { timeout: 10_000, rejectionEvents: ['close', 'error'] })
    } catch (err: any) {
      holder.kill()
      throw new LabError(`The laboratory's namespaces could not be made: ${stderr.join('').trim() || String(err?.message ?? 'unshare ended')}`)
    }

    return new Ground(holder, ['--target', String(holder.pid), ...(support.privileges === 'root' ? [] : ['--user', '--preserve-credentials']), '--net', '--mount', '--'])
  }

  /**
   * Run a shell script in a namespace, or in the ground's own
   *
   * @throws {LabError} with the first command that failed and what it said
   */
  async run (script: string, options: { namespace?: string, input?: string } = {}): Promise<string> {
    const child = this.spawn('sh', ['-ec', script], options)
    const stdout: string[] = []
    const stderr: string[] = []
    child.stdout.on('data', chunk => { stdout.push(String(chunk)) })
    child.stderr.on('data', chunk => { stderr.push(String(chunk)) })
    child.stdin.on('error', () => {})
    child.stdin.end(options.input ?? '')
    const code = await pEvent(child, 'close', { timeout: 30_000 })

    if (code !== 0) {
      throw new LabError(`Failed${options.namespace == null ? '' : ` in ${options.namespace}`}: ${script}${options.input == null ? '' : `\n${options.input}`}\n${stderr.join('').trim()}`)
    }

    return stdout.join('')
  }

  /**
   * Start a program in a namespace
   */
  spawn (command: string, args: string[], { namespace, cwd }: { namespace?: string, cwd?: string } = {}): ChildProcessWithoutNullStreams {
    const inside = namespace == null ? [] : ['ip', 'netns', 'exec', namespace]

    return spawn('nsenter', [...this.enter, ...inside, command, ...args], { cwd, env: { ...process.env, PATH: LAB_PATH } })
  }

  async close (): Promise<void> {
    if (this.holder.exitCode == null && this.holder.signalCode == null) {
      const closed = pEvent(this.holder, 'close', { timeout: 10_000 })
      this.holder.stdin.end()
      await closed
    }
  }
}
