import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { pEvent } from 'p-event'
import { nextLine } from './next-line.ts'
import { cpuTime } from './process.ts'
import { HOST } from './subjects.ts'
import type { Subject } from './subjects.ts'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import type { Interface } from 'node:readline'

/**
 * What the load program reports
 */
export interface LoadReport {
  answered: number
  errors: number
  opened: number
  seconds: number
  cpu: number
  maxLatencyMs: number
}

export interface HeldConnections {
  report: LoadReport

  /**
   * Send one request on each of them
   */
  ask(): Promise<LoadReport>
  stop(): Promise<void>
}

export type Transport = 'tcp' | 'tls'

/**
 * The compiled load program
 */
export class Load {
  private readonly folder = mkdtempSync(path.join(os.tmpdir(), 'libp2p-tcp-stun-'))
  private readonly file = path.join(this.folder, 'load')

  constructor () {
    try {
      execFileSync('cc', ['-O2', '-Wall', '-Werror', '-o', this.file, 'bench/server/load.c', '-lssl', '-lcrypto'], {
        stdio: 'inherit'
      })
    } catch (err: any) {
      throw new Error('This bench needs a C compiler and OpenSSL (Debian: apt-get install gcc libssl-dev)', {
        cause: err
      })
    }
  }

  remove (): void {
    rmSync(this.folder, { recursive: true })
  }

  /**
   * Send requests on these connections for this long, and measure the CPU time of
   * the subject, without that of connecting and closing
   */
  async ask (
    subject: Subject, transport: Transport, connections: number, seconds: number
  ): Promise<LoadReport & { subjectCPU: number }> {
    const { child, lines } = this.start('ask', subject, transport, connections, seconds)
    const exited = pEvent(child, 'exit')
    await nextLine(lines, ({ measuring }) => measuring === true)
    const before = cpuTime(subject.pid)
    child.stdin.write('\n')
    const report = await nextLine<LoadReport>(lines, ({ answered }) => answered != null)
    const subjectCPU = cpuTime(subject.pid) - before
    child.stdin.end()
    await exited

    return { ...report, subjectCPU }
  }

  /**
   * Open this many connections a second, and send one request on each
   */
  async open (subject: Subject, perSecond: number, seconds: number): Promise<LoadReport> {
    const { lines } = this.start('open', subject, 'tcp', perSecond, seconds)

    return nextLine(lines, ({ answered }) => answered != null)
  }

  /**
   * Hold this many connections until it is stopped
   */
  async hold (subject: Subject, transport: Transport, connections: number): Promise<HeldConnections> {
    const { child, lines } = this.start('hold', subject, transport, connections)
    const report = await nextLine<LoadReport>(lines, ({ answered }) => answered != null)

    return {
      report,
      ask: async () => {
        child.stdin.write('\n')
        return nextLine(lines, ({ answered }) => answered != null)
      },
      stop: async () => {
        const exited = pEvent(child, 'exit')
        child.stdin.end()
        await exited
      }
    }
  }

  private start (
    mode: string,
    subject: Subject,
    transport: Transport,
    ...numbers: number[]
  ): { child: ChildProcessWithoutNullStreams; lines: Interface } {
    const port = transport === 'tls' ? subject.tlsPort : subject.port

    if (port == null) {
      throw new Error(`${subject.name} has no TLS`)
    }

    const child = spawn(this.file, [mode, transport, HOST, String(port), ...numbers.map(String)])
    child.stderr.pipe(process.stderr)

    return { child, lines: createInterface({ input: child.stdout }) }
  }
}
