/**
 * One of several processes that serve on the same ports. It is told what to do
 * by the process that started it, and ends when that does.
 */
import { createSTUNServer } from 'libp2p-tcp-stun/server'
import { EventForwarder } from './worker-events.ts'
import { COUNTERS_INTERVAL } from './worker-messages.ts'
import type { FromWorker, ToWorker } from './worker-messages.ts'
import type { STUNServer } from 'libp2p-tcp-stun/server'

let server: STUNServer | undefined
let forwarder: EventForwarder | undefined

const tell = (message: FromWorker, done?: () => void): void => {
  if (process.connected) {
    process.send?.(message, undefined, undefined, done)
  }
}

const tellCounters = (): void => {
  if (server != null) {
    tell({ type: 'counters', counters: server.counters })
  }
}

async function end (): Promise<void> {
  await server?.close()
  tellCounters()
  process.disconnect()
}

async function obey (message: ToWorker): Promise<void> {
  if (message.type === 'listen') {
    server = createSTUNServer(message.init)
    forwarder = new EventForwarder(server, (name, detail, done) => { tell({ type: 'event', name, detail }, done) })
    forwarder.watch(message.events)
    await server.listen({ reusePort: true })
    setInterval(tellCounters, COUNTERS_INTERVAL).unref()
    tell({ type: 'listening', addresses: server.addresses })
  } else if (message.type === 'watch') {
    forwarder?.watch(message.events)
  } else if (message.type === 'tls') {
    await server?.updateTLS(message.options)
  } else if (message.type === 'drain') {
    await server?.drain({ deadline: message.deadline })
    await end()
  } else {
    await end()
  }
}

process.on('message', (message: ToWorker) => {
  obey(message).catch(err => {
    tell({ type: 'failed', message: err.message, code: err.code })
    process.exitCode = 1
    process.disconnect()
  })
})

// signals go to a whole process group, but it is told when to stop
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
process.on('SIGHUP', () => {})

process.on('disconnect', () => {
  server?.close().catch(() => { process.exitCode = 1 })
})
