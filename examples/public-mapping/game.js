/* eslint-disable no-console -- it talks to whoever runs it */
/**
 * A game over plain TCP: everybody who connects, with `nc 203.0.113.9 50123`, guesses the
 * same number
 */
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { PublicMapping } from 'libp2p-tcp-stun/mapping'

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '4001' },
    stun: { type: 'string', multiple: true },
    // in seconds: shorter than the time after which the router forgets a mapping
    'keep-alive': { type: 'string', default: '15' },
    reconnect: { type: 'string', default: '10' }
  }
})

const MAX = 100
const players = new Map()
let joined = 0
let secret = randomInt(1, MAX + 1)

const tell = line => { players.forEach((name, socket) => { socket.write(`${line}\n`) }) }

const guess = (name, text) => {
  const number = Number(text)

  if (!Number.isInteger(number) || number < 1 || number > MAX) {
    return
  }

  if (number === secret) {
    tell(`${name} wins: it was ${secret}. Guess the next one`)
    secret = randomInt(1, MAX + 1)
  } else {
    tell(`${name}: ${number} is too ${number < secret ? 'low' : 'high'}`)
  }
}

const server = net.createServer(socket => {
  const name = `player ${++joined}`
  players.set(socket, name)
  socket.on('error', () => {})
  socket.once('close', () => { players.delete(socket) })
  socket.write(`Welcome ${name}, guess a number from 1 to ${MAX}\n`)
  const lines = createInterface({ input: socket })
  lines.on('line', line => { guess(name, line.trim()) })
  lines.on('error', () => {})
})

server.listen({ host: '0.0.0.0', port: Number(values.port), reusePort: true })
await once(server, 'listening')

const mapping = new PublicMapping({
  listener: server,
  stunServers: values.stun,
  keepAliveInterval: 1_000 * Number(values['keep-alive']),
  minReconnectInterval: 1_000 * Number(values.reconnect)
})

mapping.addEventListener('mapped', ({ detail: { endpoint: { host, port } } }) => {
  console.info(`public address ${host}:${port}`)
})
mapping.addEventListener('changed', ({ detail: { endpoint: { host, port } } }) => {
  console.info(`moved to ${host}:${port}`)
  // the connections of players are of the old address, and the router may have dropped them
  tell(`This server has moved to ${host}:${port}`)
})
mapping.addEventListener('lost', ({ detail }) => {
  console.info(`no public address: ${'reason' in detail ? detail.reason.message : detail.state}`)
})
mapping.addEventListener('status', ({ detail }) => {
  for (const { server, error } of detail.failures) {
    console.info(`${server} failed: ${error.message}`)
  }
})

await mapping.start()

const stop = async () => {
  await mapping.stop()
  server.close()
  players.forEach((name, socket) => { socket.destroy() })
}

process.once('SIGINT', stop)
process.once('SIGTERM', stop)
