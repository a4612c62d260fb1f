import { spawn } from 'node:child_process'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { closesAfterEach } from '../../../test/fixtures/cleanup.ts'
import { rawClient } from '../../../test/fixtures/raw-client.ts'
import type { RawClient } from '../../../test/fixtures/raw-client.ts'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import type { Interface } from 'node:readline'

const EVENT = { timeout: 20_000 }
const COMMAND = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'src', 'cli', 'index.js')

interface Command {
  child: ChildProcessWithoutNullStreams
  lines: Interface
  port: number
  stderr(): string
}

describe('tcp-stun server, the command', () => {
  const { closing, closeLater } = closesAfterEach()

  async function start (...args: string[]): Promise<Command> {
    const child = spawn(process.execPath, [COMMAND, 'server', '--listen', '127.0.0.1:0', '--json', ...args])
    closing.push({ close: () => { child.kill('SIGKILL') } })
    let stderr = ''
    child.stderr.on('data', chunk => { stderr += String(chunk) })
    const lines = createInterface({ input: child.stdout })
    const { port } = await nextEvent(lines, 'listening')

    return { child, lines, port, stderr: () => stderr }
  }

  async function nextEvent (lines: Interface, name: string): Promise<any> {
    return JSON.parse(
      await pEvent<'line', string>(lines as any, 'line', { ...EVENT, filter: line => JSON.parse(line).event === name })
    )
  }

  async function connect (port: number): Promise<RawClient> {
    return closeLater(await rawClient({ host: '127.0.0.1', port }))
  }

  for (const workers of [0, 2]) {
    it(`ends at once and quietly at the second SIGTERM: ${workers} workers`, async () => {
      const { child, lines, port, stderr } = await start('--workers', String(workers), '--drain-deadline', '600000')
      const client = await connect(port)
      await client.ask()
      const stopping = nextEvent(lines, 'stopping')
      const closed = pEvent<'close', number>(child as any, 'close', EVENT)
      child.kill('SIGTERM')
      await stopping
      child.kill('SIGTERM')
      // and in a hurry
      child.kill('SIGTERM')

      expect(await client.closed).to.be.oneOf(['ECONNRESET', 'end'])
      expect(await closed).to.equal(0)
      expect(stderr()).to.equal('')
    })

    it(`goes on when the reader of its log goes away: ${workers} workers`, async () => {
      const { child, port } = await start('--workers', String(workers))
      const client = await connect(port)
      await client.ask()
      child.stdout.destroy()
      child.stderr.destroy()

      // each of them logs
      for (let i = 0; i < 3; i++) {
        child.kill('SIGHUP')
        await client.ask()
        const another = await connect(port)
        await another.ask()
        another.close()
      }

      const exited = pEvent<'exit', number | null>(child as any, 'exit', EVENT)
      client.close()
      child.kill('SIGTERM')
      expect(await exited).to.equal(0)
    })
  }
})
