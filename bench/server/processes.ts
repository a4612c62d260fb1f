import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { pEvent } from 'p-event'
import { createCertificate } from '../../test/fixtures/certificate.ts'
import { hasCoturn, startCoturn } from '../../test/fixtures/coturn.ts'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import type { Interface } from 'node:readline'

/**
 * A server under load
 */
export interface Subject {
  name: 'ours' | 'coturn'
  port: number

  /**
   * CPU time that its processes have used so far, in s
   */
  cpu(): number

  /**
   * Memory of its processes now, in bytes: resident, without shared pages
   */
  memory(): number

  /**
   * The same with shared pages: what the system shows
   */
  resident(): number
  stop(): Promise<void>
}

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

const HOST = '127.0.0.1'

/**
 * One machine is all clients here, so the limits for one address do not apply
 */
const NO_LIMITS = [
  '--max-connections', '1000000', '--max-connections-per-address', '1000000',
  '--max-new-connections-per-second', '1000000', '--max-requests-per-second', '1000000000'
]

export async function startOurs (workers = 0): Promise<Subject> {
  const child = spawn(process.execPath, [
    'packages/tcp-stun/dist/src/cli/index.js',
    'server',
    '--listen',
    `${HOST}:0`,
    '--json',
    '--workers',
    String(workers),
    '--drain-deadline',
    '0',
    ...NO_LIMITS
  ])
  child.stderr.pipe(process.stderr)
  const lines = createInterface({ input: child.stdout })
  const { port } = await nextLine(lines, ({ event }) => event === 'listening')

  return subject('ours', child.pid ?? 0, port, async () => {
    const exited = pEvent(child, 'exit')
    child.kill('SIGTERM')
    await exited
  })
}

export async function startTheirs (): Promise<Subject> {
  const certificate = createCertificate()
  const coturn = await startCoturn({ host: HOST, certificate, maxAllocateTimeout: 900 })

  return subject('coturn', coturn.pid, coturn.port, async () => {
    await coturn.stop()
    certificate.remove()
  })
}

/**
 * @throws {Error} it is not installed
 */
export function coturnVersion (): string {
  if (!hasCoturn()) {
    throw new Error('This bench needs coturn (Debian: apt-get install coturn)')
  }

  return execFileSync('turnserver', ['--version'], { encoding: 'utf8' }).trim()
}

function subject (name: Subject['name'], pid: number, port: number, stop: () => Promise<void>): Subject {
  const sum = (read: (pid: number) => number): number => family(pid).reduce((total, pid) => total + read(pid), 0)

  return {
    name,
    port,
    stop,
    cpu: () => sum(cpuOf),
    memory: () => sum(pid => memoryOf(pid, 'RssAnon')),
    resident: () => sum(pid => memoryOf(pid, 'VmRSS'))
  }
}

/**
 * A process and its children
 */
function family (pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap(task =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8')
      .split(' ')
      .filter(text => text.trim() !== '')
      .map(Number)
  )

  return [pid, ...children.flatMap(family)]
}

/**
 * By the scheduler's clock. Ticks are far off for a process that sleeps and wakes
 * up with each request.
 */
function cpuOf (pid: number): number {
  return (
    readdirSync(`/proc/${pid}/task`).reduce(
      (sum, task) => sum + Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]),
      0
    ) / 1e9
  )
}

function memoryOf (pid: number, line: 'RssAnon' | 'VmRSS'): number {
  const [, kilobytes] =
    new RegExp(`^${line}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []

  return Number(kilobytes) * 1024
}

/**
 * The compiled load program
 */
export class Load {
  private readonly folder = mkdtempSync(path.join(os.tmpdir(), 'libp2p-tcp-stun-'))
  private readonly file = path.join(this.folder, 'load')

  constructor () {
    execFileSync('cc', ['-O2', '-Wall', '-Werror', '-o', this.file, 'bench/server/load.c'], { stdio: 'inherit' })
  }

  remove (): void {
    rmSync(this.folder, { recursive: true })
  }

  /**
   * Send requests on these connections for this long, and measure the CPU time of
   * the subject, without that of connecting and closing
   */
  async ask (subject: Subject, connections: number, seconds: number): Promise<LoadReport & { subjectCPU: number }> {
    const { child, lines } = this.start('ask', subject.port, connections, seconds)
    const exited = pEvent(child, 'exit')
    await nextLine(lines, ({ measuring }) => measuring === true)
    const before = subject.cpu()
    child.stdin.write('\n')
    const report = await nextLine<LoadReport>(lines, ({ answered }) => answered != null)
    const subjectCPU = subject.cpu() - before
    child.stdin.end()
    await exited

    return { ...report, subjectCPU }
  }

  /**
   * Open this many connections a second, and send one request on each
   */
  async open (port: number, perSecond: number, seconds: number): Promise<LoadReport> {
    return nextLine(this.start('open', port, perSecond, seconds).lines, ({ answered }) => answered != null)
  }

  /**
   * Hold this many connections until it is stopped
   */
  async hold (
    port: number,
    connections: number
  ): Promise<{ report: LoadReport; ask(): Promise<LoadReport>; stop(): Promise<void> }> {
    const { child, lines } = this.start('hold', port, connections)
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
    port: number,
    number: number,
    seconds = 0
  ): { child: ChildProcessWithoutNullStreams; lines: Interface } {
    const child = spawn(this.file, [mode, HOST, String(port), String(number), String(seconds)])
    child.stderr.pipe(process.stderr)

    return { child, lines: createInterface({ input: child.stdout }) }
  }
}

async function nextLine<T = any> (lines: Interface, filter: (line: any) => boolean): Promise<T> {
  const line = await pEvent<'line', string>(lines as any, 'line', {
    timeout: 180_000,
    filter: text => filter(JSON.parse(text)),
    rejectionEvents: ['error', 'close']
  })

  return JSON.parse(line)
}
