/**
 * Opens `page.ts` in Chromium, hands commands on to it, and reports its events
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import http from 'node:http'
import https from 'node:https'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { emit, handleCommands, readOptions } from '../../child/commands.ts'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface BrowserOptions {
  /**
   * Load the page by https, with this certificate
   */
  certificate?: { key: string, cert: string }

  /**
   * Trust chains with a certificate that has this public key: SHA-256 of its
   * SubjectPublicKeyInfo, in base64
   */
  trusted?: string

  /**
   * Names that are not in the DNS, and their addresses
   */
  names?: Record<string, string>
}

const { certificate, trusted, names = {} } = readOptions<BrowserOptions>()
const folder = await mkdtemp(path.join(os.tmpdir(), 'libp2p-tcp-stun-browser-'))
const { outputFiles: [{ text: script }] } = await build({
  entryPoints: [fileURLToPath(new URL('page.js', import.meta.url))],
  bundle: true,
  format: 'esm',
  platform: 'browser',
  // its `paths` lead to the sources
  tsconfigRaw: {},
  write: false,
  logLevel: 'silent'
})
const commands: object[] = []
let waiting: ServerResponse | undefined

const serve: RequestListener = (request, response) => {
  switch (request.url) {
    case '/command':
      waiting = response
      handOn()
      break
    case '/event':
      read(request)
        .then(({ event, ...detail }) => {
          emit(event, detail)
          response.end()
        })
        .catch(err => { emit('failed', { message: err.message }) })
      break
    case '/page.js':
      response.setHeader('Content-Type', 'text/javascript')
      response.end(script)
      break
    default:
      response.setHeader('Content-Type', 'text/html')
      response.end('<!DOCTYPE html><script type="module" src="/page.js"></script>')
  }
}

function handOn (): void {
  if (waiting != null && commands.length > 0) {
    waiting.end(JSON.stringify(commands.shift()))
    waiting = undefined
  }
}

async function read (request: IncomingMessage): Promise<{ event: string }> {
  return JSON.parse(Buffer.concat(await request.toArray()).toString())
}

const server = certificate == null ? http.createServer(serve) : https.createServer(certificate, serve)
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo

const chromium = spawn('chromium', [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  `--user-data-dir=${folder}`,
  ...trusted == null ? [] : [`--ignore-certificate-errors-spki-list=${trusted}`],
  `--host-resolver-rules=${Object.entries(names).map(([name, address]) => `MAP ${name} ${address}`).join(', ')}`,
  `${certificate == null ? 'http' : 'https'}://localhost:${port}/`
], { stdio: 'ignore', detached: true })
const exited = once(chromium, 'exit')

emit('opened', { port })

handleCommands({
  dial: ({ address }) => {
    commands.push({ address })
    handOn()
  }
}, async () => {
  // it has processes of its own
  process.kill(-(chromium.pid ?? 0), 'SIGKILL')
  await exited
  server.close()
  server.closeAllConnections()
  await rm(folder, { recursive: true, force: true, maxRetries: 5 })
})
