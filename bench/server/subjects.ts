import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { pEvent } from 'p-event'
import { createCertificate } from '../../test/fixtures/certificate.ts'
import { freePort, hasCoturn, startCoturn, untilListening } from '../../test/fixtures/coturn.ts'
import { nextLine } from './next-line.ts'
import type { ChildProcess } from 'node:child_process'

export type SubjectName = 'ours' | 'coturn' | 'stuntman' | 'pion'

/**
 * A server under load
 */
export interface Subject {
  name: SubjectName
  pid: number
  port: number

  /**
   * Stuntman has none
   */
  tlsPort?: number
  stop(): Promise<void>
}

export const HOST = '127.0.0.1'

/**
 * One machine is all clients here, so the limits for one address do not apply
 */
const NO_LIMITS = [
  '--max-connections', '1000000', '--max-connections-per-address', '1000000',
  '--max-new-connections-per-second', '1000000', '--max-requests-per-second', '1000000000'
]

export async function startOurs (workers = 0): Promise<Subject> {
  const certificate = createCertificate()
  const child = spawn(process.execPath, [
    'packages/tcp-stun/dist/src/cli/index.js',
    'server',
    '--listen',
    `${HOST}:0`,
    '--tls-listen',
    `${HOST}:0`,
    '--tls-cert',
    certificate.certFile,
    '--tls-key',
    certificate.keyFile,
    '--json',
    '--workers',
    String(workers),
    '--drain-deadline',
    '0',
    ...NO_LIMITS
  ])
  child.stderr.pipe(process.stderr)
  const lines = createInterface({ input: child.stdout })
  const [plain, secure] = await Promise.all(['tcp', 'tls'].map(async expected =>
    nextLine<{ port: number }>(lines, ({ event, transport }) => event === 'listening' && transport === expected)
  ))

  return {
    name: 'ours',
    pid: child.pid ?? 0,
    port: plain.port,
    tlsPort: secure.port,
    stop: async () => {
      await end(child, 'SIGTERM')
      certificate.remove()
    }
  }
}

/**
 * Debian's coturn, whose threads are as many as the machine has cores
 */
export async function startCoturnServer (): Promise<Subject> {
  const certificate = createCertificate()
  const { pid, port, tlsPort, stop } = await startCoturn({ host: HOST, certificate, maxAllocateTimeout: 900 })

  return {
    name: 'coturn',
    pid,
    port,
    tlsPort,
    stop: async () => {
      await stop()
      certificate.remove()
    }
  }
}

/**
 * The servers that are measured where they can be had: stuntman has to be compiled by hand
 * (`stunserver` on the path), pion's needs Go
 */
export function others (): Array<() => Promise<Subject>> {
  return [...hasStuntman() ? [startStuntman] : [], ...hasGo() ? [startPion] : []]
}

/**
 * The versions of the other servers, for the documents
 *
 * @throws {Error} coturn is not installed
 */
export function versions (): Record<string, string> {
  if (!hasCoturn()) {
    throw new Error('This bench needs coturn (Debian: apt-get install coturn)')
  }

  return {
    coturn: execFileSync('turnserver', ['--version'], { encoding: 'utf8' }).trim(),
    ...hasGo() && { 'pion/turn': pionVersion() }
  }
}

async function startStuntman (): Promise<Subject> {
  const port = await freePort(HOST)
  const child = spawn('stunserver', [
    '--mode', 'basic', '--protocol', 'tcp', '--primaryinterface', HOST, '--primaryport', String(port),
    '--maxconn', '50000'
  ], { stdio: 'ignore' })
  await untilListening(HOST, port, () => child.exitCode != null)

  return { name: 'stuntman', pid: child.pid ?? 0, port, stop: async () => end(child, 'SIGKILL') }
}

async function startPion (): Promise<Subject> {
  const certificate = createCertificate()
  const folder = mkdtempSync(path.join(os.tmpdir(), 'libp2p-tcp-stun-'))
  const file = path.join(folder, 'pion')
  execFileSync('go', ['build', '-o', file, '.'], { cwd: pionSource(), stdio: 'inherit' })
  const child = spawn(file, [HOST, certificate.certFile, certificate.keyFile], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ports = await nextLine<{ port: number, tlsPort: number }>(
    createInterface({ input: child.stdout }), ({ port }) => port != null
  )

  return {
    name: 'pion',
    pid: child.pid ?? 0,
    ...ports,
    stop: async () => {
      await end(child, 'SIGKILL')
      certificate.remove()
      rmSync(folder, { recursive: true })
    }
  }
}

function hasStuntman (): boolean {
  return spawnSync('stunserver', ['--help']).error == null
}

function hasGo (): boolean {
  return spawnSync('go', ['version']).error == null
}

function pionVersion (): string {
  return execFileSync('go', ['list', '-m', '-f', '{{.Version}}', 'github.com/pion/turn/v4'], {
    cwd: pionSource(), encoding: 'utf8'
  }).trim().slice(1)
}

function pionSource (): string {
  return fileURLToPath(new URL('../../../bench/server/pion', import.meta.url))
}

async function end (child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const exited = pEvent(child, 'exit')
  child.kill(signal)
  await exited
}
