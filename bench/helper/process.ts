import { spawn } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Program } from '../../test/child/program.ts'

const CLI = fileURLToPath(new URL('../../packages/tcp-stun/src/cli/index.js', import.meta.url))

/**
 * As in `packages/tcp-stun/deploy`: V8 collects new garbage more often, and for a shorter time each
 */
const NODE_OPTIONS = '--max-semi-space-size=8'

/**
 * `tcp-stun helper` in a process of its own
 */
export class HelperProcess {
  readonly port: number
  readonly stunPort: number
  readonly pagePort: number
  private readonly program: Program
  private readonly pid: number

  private constructor (program: Program, pid: number, ports: { port: number, stunPort: number, pagePort: number }) {
    this.program = program
    this.pid = pid
    this.port = ports.port
    this.stunPort = ports.stunPort
    this.pagePort = ports.pagePort
  }

  static async start (maxPeers: number): Promise<HelperProcess> {
    const child = spawn(process.execPath, [
      CLI, 'helper', '--listen', '127.0.0.1:0', '--stun-listen', '127.0.0.1:0', '--metrics',
      '127.0.0.1:0', '--max-peers', String(maxPeers), '--json'
    ], { env: { ...process.env, NODE_OPTIONS } })
    const program = new Program('helper', child)
    const { port: stunPort } = await program.waitFor('stun')
    const { addresses } = await program.waitFor('listening')
    const { port: pagePort } = await program.waitFor('metrics')

    return new HelperProcess(program, child.pid ?? 0, { port: Number(addresses[0].split('/')[4]), stunPort, pagePort })
  }

  /**
   * CPU time of all threads so far, in s. The scheduler knows it in ns, the process only in ticks of 10 ms.
   */
  cpu (): number {
    const tasks = `/proc/${this.pid}/task`

    return readdirSync(tasks).reduce((sum, task) =>
      sum + Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0]) / 1e9, 0)
  }

  /**
   * Resident memory, in bytes
   */
  resident (): number {
    const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8')) ?? []

    return Number(kilobytes) * 1_024
  }

  async stop (): Promise<void> {
    this.program.kill()
    await this.program.happened(({ event }) => event === 'exit')
  }
}
