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
 * The Linux namespaces that contain one laboratory. They belong to one process
 * that ends with its standard input, a pipe from this process. However this
 * process ends, that one ends too, and the kernel removes the networks with the
 * last process in them. Laboratories leave nothing behind, and cannot see each
 * other.
 */
export class Namespaces {
  private readonly holder: ChildProcessWithoutNullStreams
  private readonly enter: string[]

  private constructor (holder: ChildProcessWithoutNullStreams, enter: string[]) {
    this.holder = holder
    this.enter = enter
  }

  /**
   * @throws {LabError} this machine cannot run a laboratory, with what is missing
   */
  static async create (): Promise<Namespaces> {
    const support = labSupport()

    if (!support.supported) {
      throw new LabError(`This machine cannot run a laboratory. It needs ${support.missing}`)
    }

    // a private /run/netns: names of namespaces are files
    const holder = spawn(
      'unshare',
      [
        ...unshareArgs(support.privileges),
        'sh',
        '-c',
        'mount -t tmpfs none /run && mkdir -p /run/netns && echo ready && exec cat'
      ],
      { env: { ...process.env, PATH: LAB_PATH } }
    )
    const stderr: string[] = []
    holder.stderr.on('data', chunk => { stderr.push(String(chunk)) })

    try {
      await pEvent(holder.stdout, 'data', { timeout: 10_000, rejectionEvents: ['close', 'error'] })
    } catch (err: any) {
      holder.kill()
      throw new LabError(
        'Could not create the laboratory\'s namespaces: ' +
          (stderr.join('').trim() || String(err?.message ?? 'unshare ended'))
      )
    }

    return new Namespaces(holder, [
      '--target',
      String(holder.pid),
      ...(support.privileges === 'root' ? [] : ['--user', '--preserve-credentials']),
      '--net',
      '--mount',
      '--'
    ])
  }

  /**
   * Run a shell script in a named network namespace, or in the outer one
   *
   * @throws {LabError} with the first command that failed, and its error output
   */
  async run (script: string, options: { namespace?: string; input?: string } = {}): Promise<string> {
    const child = this.spawn('sh', ['-ec', script], options)
    const stdout: string[] = []
    const stderr: string[] = []
    child.stdout.on('data', chunk => { stdout.push(String(chunk)) })
    child.stderr.on('data', chunk => { stderr.push(String(chunk)) })
    child.stdin.on('error', () => {})
    child.stdin.end(options.input ?? '')
    const code = await pEvent(child, 'close', { timeout: 30_000 })

    if (code !== 0) {
      throw new LabError(
        `Failed${options.namespace == null ? '' : ` in ${options.namespace}`}: ${script}` +
          `${options.input == null ? '' : `\n${options.input}`}\n${stderr.join('').trim()}`
      )
    }

    return stdout.join('')
  }

  /**
   * Start a program in a network namespace
   */
  spawn (
    command: string,
    args: string[],
    { namespace, cwd }: { namespace?: string; cwd?: string } = {}
  ): ChildProcessWithoutNullStreams {
    const inside = namespace == null ? [] : ['ip', 'netns', 'exec', namespace]

    return spawn('nsenter', [...this.enter, ...inside, command, ...args], {
      cwd,
      env: { ...process.env, PATH: LAB_PATH }
    })
  }

  async close (): Promise<void> {
    if (this.holder.exitCode == null && this.holder.signalCode == null) {
      const closed = pEvent(this.holder, 'close', { timeout: 10_000 })
      this.holder.stdin.end()
      await closed
    }
  }
}
