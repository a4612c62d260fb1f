/**
 * One of several processes that serve on the same ports. Its parent process sends
 * it commands, and it ends when the parent does.
 */
import { collectGarbage, createSTUNServer } from 'libp2p-tcp-stun/server'
import { CalmAfterBurst } from './calm-after-burst.ts'
import { EventForwarder } from './event-forwarder.ts'
import { STATUS_INTERVAL } from './worker-messages.ts'
import type { WorkerCommand, WorkerReport } from './worker-messages.ts'
import type { STUNServer } from 'libp2p-tcp-stun/server'

let server: STUNServer | undefined
let forwarder: EventForwarder | undefined
const burst = new CalmAfterBurst()

function send (report: WorkerReport, done: () => void = () => {}): void {
  if (process.connected) {
    process.send?.(report, undefined, undefined, done)
  }
}

function sendStatus (): void {
  if (server != null) {
    send({ type: 'status', counters: server.counters, overloaded: server.state === 'overloaded' })
  }
}

function onInterval (): void {
  sendStatus()

  // V8 keeps the memory of a burst until it is told to give it back
  if (server != null && burst.hasEnded(server.counters.accepted, performance.now())) {
    collectGarbage()
  }
}

/**
 * Nothing keeps the process alive after this
 */
function disconnect (): void {
  if (process.connected) {
    process.disconnect()
  }
}

async function close (): Promise<void> {
  await server?.close()
  sendStatus()
  disconnect()
}

async function run (command: WorkerCommand): Promise<void> {
  if (command.type === 'listen') {
    server = createSTUNServer(command.init)
    forwarder = new EventForwarder(server, (name, detail, done) => { send({ type: 'event', name, detail }, done) })
    forwarder.forward(command.events)
    await server.listen({ reusePort: true })
    setInterval(onInterval, STATUS_INTERVAL).unref()
    send({ type: 'listening' })
  } else if (command.type === 'forward') {
    forwarder?.forward(command.events)
  } else if (command.type === 'tls') {
    await server?.updateTLS(command.options)
  } else if (command.type === 'drain') {
    await server?.drain({ deadline: command.deadline })
    await close()
  } else {
    await close()
  }
}

process.on('message', (command: WorkerCommand) => {
  run(command).catch(err => {
    send({ type: 'failed', message: err.message, code: err.code })
    process.exitCode = 1
    disconnect()
  })
})

// a terminal sends signals to all processes, but the parent decides when to stop
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
process.on('SIGHUP', () => {})

process.on('disconnect', () => {
  server?.close().catch(() => { process.exitCode = 1 })
})

// the output of the parent may have lost its reader
process.stdout.on('error', () => {})
process.stderr.on('error', () => {})
