import { spawn } from 'node:child_process'
import net from 'node:net'
import { fileURLToPath } from 'node:url'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { bindSocket } from '../../src/net/bound-socket.ts'
import { ForeignListeners } from '../../src/net/foreign-listeners.ts'
import { listListeningSockets } from '../../src/net/listening-sockets.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { HeldClock } from '../fixtures/held-clock.ts'
import { recordErrors } from '../fixtures/record-errors.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import type { ChildProcess } from 'node:child_process'

const EVENT = { timeout: 20_000 }
const PROGRAM = fileURLToPath(new URL('./programs/sharing-listener.js', import.meta.url))
const SECOND = 1_000
const MINUTE = 60_000

interface Held {
  watch: ForeignListeners
  clock: HeldClock

  /**
   * How many looks there have been
   */
  looks(): number

  /**
   * Let this many ms pass, and wait until the look in that time is over
   */
  pass(ms: number): Promise<void>
}

describe('foreign listeners', () => {
  const { closeLater } = closesAfterEach()

  before(function () {
    if (process.platform !== 'linux') {
      this.skip()
    }
  })

  /**
   * A watch whose looks only happen when the test moves the clock on
   */
  function createWatch (list = listListeningSockets): Held {
    const clock = new HeldClock()
    let looks = 0
    const watch = new ForeignListeners({
      clock,
      list: async () => {
        looks++

        return list()
      }
    })

    return {
      watch,
      looks: () => looks,
      clock,
      pass: async ms => {
        clock.advance(ms)
        await waitUntil('the next look is planned', () => clock.pending === 1)
      }
    }
  }

  async function listen (port = 0, server = closeLater(net.createServer())): Promise<net.Server> {
    bindSocket({ host: '127.0.0.1', port }).listen(server)
    await pEvent(server, 'listening', EVENT)

    return server
  }

  async function startProgram (port: number): Promise<ChildProcess> {
    const child = spawn(process.execPath, [PROGRAM, '127.0.0.1', `${port}`], { stdio: ['ignore', 'pipe', 'inherit'] })
    closeLater({ close: () => child.kill() })
    await pEvent(child.stdout, 'data', EVENT)

    return child
  }

  function portOf (server: net.Server): number {
    return (server.address() as net.AddressInfo).port
  }

  it('logs once that another program listens on the port, and again when one comes back', async () => {
    const { watch, pass } = createWatch()
    const { log, errors } = recordErrors()
    const { signal } = closeLater(abortable())
    const server = await listen()
    const port = portOf(server)
    watch.watch(server, { log, signal })
    await pass(SECOND)
    expect(errors).to.be.empty()

    const program = await startProgram(port)
    expect(errors).to.be.empty()
    await pass(MINUTE)
    expect(errors).to.deep.equal([
      `another program listens on port ${port} too and takes inbound connections of 127.0.0.1:${port}: ` +
      `stop it or choose another port, \`ss -ltnp sport = :${port}\` shows it`
    ])
    await pass(MINUTE)
    await pass(MINUTE)
    expect(errors).to.have.lengthOf(1)

    program.kill()
    await pEvent(program, 'exit', EVENT)
    await pass(MINUTE)
    expect(errors).to.have.lengthOf(1)

    await startProgram(port)
    await pass(MINUTE)
    expect(errors).to.have.lengthOf(2)
  })

  it('looks once for all servers', async () => {
    const { watch, pass, looks } = createWatch()
    const { signal } = closeLater(abortable())
    const logs = [recordErrors(), recordErrors(), recordErrors()]
    const servers = await Promise.all(logs.map(async () => listen()))
    servers.forEach((server, i) => { watch.watch(server, { log: logs[i].log, signal }) })
    await listen(portOf(servers[1]))

    await pass(SECOND)
    expect(looks()).to.equal(1)
    expect(logs.map(({ errors }) => errors.length)).to.deep.equal([0, 1, 0])
    await pass(MINUTE)
    expect(looks()).to.equal(2)
  })

  it('looks a second after a server is added, however many come', async () => {
    const { watch, pass, looks, clock } = createWatch()
    const { log } = recordErrors()
    const { signal } = closeLater(abortable())
    watch.watch(await listen(), { log, signal })
    clock.advance(SECOND / 2)
    watch.watch(await listen(), { log, signal })
    await pass(SECOND / 2)
    expect(looks()).to.equal(1)

    await pass(MINUTE / 2)
    watch.watch(await listen(), { log, signal })
    await pass(SECOND)
    expect(looks()).to.equal(2)
    expect(clock.due).to.equal(MINUTE)
  })

  it('leaves no timer behind when the last server is closed', async () => {
    const { watch, clock, pass } = createWatch()
    const { log } = recordErrors()
    const [first, second] = [closeLater(abortable()), closeLater(abortable())]
    watch.watch(await listen(), { log, signal: first.signal })
    watch.watch(await listen(), { log, signal: second.signal })
    await pass(SECOND)
    first.close()
    expect(clock.pending).to.equal(1)
    second.close()
    expect(clock.pending).to.equal(0)

    watch.watch(await listen(), { log, signal: second.signal })
    expect(clock.pending).to.equal(0)
  })

  it('does not plan another look when the last server is closed during one', async () => {
    const listed = Promise.withResolvers<[]>()
    const { watch, clock, looks } = createWatch(async () => listed.promise)
    const { log, errors } = recordErrors()
    const { signal, close } = closeLater(abortable())
    watch.watch(await listen(), { log, signal })
    clock.advance(SECOND)
    expect(looks()).to.equal(1)
    close()
    listed.resolve([])
    await listed.promise
    await new Promise(resolve => { setImmediate(resolve) })

    expect(clock.pending).to.equal(0)
    expect(errors).to.be.empty()
  })

  it('knows the sockets of several processes by their number, once all of them listen', async () => {
    const { watch, pass } = createWatch()
    const { log, errors } = recordErrors()
    const { signal } = closeLater(abortable())
    const workers = [await listen()]
    const port = portOf(workers[0])
    const ids = [1, 2]
    watch.watchProcesses({
      host: '127.0.0.1',
      port,
      processes: () => workers.length === ids.length ? ids : undefined
    }, { log, signal })
    // one that listens before it is known
    const second = await listen(port)
    await pass(SECOND)
    expect(errors).to.be.empty()
    workers.push(second)
    await pass(MINUTE)
    expect(errors).to.be.empty()

    await startProgram(port)
    await pass(MINUTE)
    await pass(MINUTE)
    expect(errors).to.have.lengthOf(1)
    expect(errors[0]).to.include(`takes inbound connections of 127.0.0.1:${port}`)
  })

  it('notices a program that listens on one of the addresses of several processes', async () => {
    const { watch, pass } = createWatch()
    const { log, errors } = recordErrors()
    const { signal } = closeLater(abortable())
    const server = closeLater(net.createServer())
    bindSocket({ host: '0.0.0.0', port: 0 }).listen(server)
    await pEvent(server, 'listening', EVENT)
    const port = portOf(server)
    watch.watchProcesses({ host: '0.0.0.0', port, processes: () => [1] }, { log, signal })
    await pass(SECOND)
    expect(errors).to.be.empty()

    await startProgram(port)
    await pass(MINUTE)
    expect(errors).to.have.lengthOf(1)
  })

  it('does not take the sockets of a server that pauses for foreign', async () => {
    const { watch, pass } = createWatch()
    const { log, errors } = recordErrors()
    const { signal } = closeLater(abortable())
    const server = await listen()
    const port = portOf(server)
    watch.watch(server, { log, signal })
    await pass(SECOND)

    server.close()
    const other = await listen(port)
    await pass(MINUTE)
    expect(errors).to.be.empty()

    other.close()
    await listen(port, server)
    await pass(MINUTE)
    expect(errors).to.be.empty()

    await listen(port)
    await pass(MINUTE)
    expect(errors).to.have.lengthOf(1)
  })

  it('looks again after the list could not be read', async () => {
    let isReadable = false
    const { watch, pass } = createWatch(async () => {
      if (!isReadable) {
        throw Object.assign(new Error('EMFILE'), { code: 'EMFILE' })
      }

      return listListeningSockets()
    })
    const { log, errors } = recordErrors()
    const { signal } = closeLater(abortable())
    const server = await listen()
    watch.watch(server, { log, signal })
    await listen(portOf(server))
    await pass(SECOND)
    expect(errors).to.be.empty()

    isReadable = true
    await pass(MINUTE)
    expect(errors).to.have.lengthOf(1)
  })
})

function abortable (): { signal: AbortSignal, close(): void } {
  const controller = new AbortController()

  return { signal: controller.signal, close: () => { controller.abort() } }
}
