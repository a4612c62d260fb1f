/**
 * Our STUN server, which says whom it saw
 */
import { createSTUNServer } from '../../../src/server/index.ts'
import { obey, readInit, say } from './talk.ts'

const { host, port = 3478 } = readInit<{ host: string, port?: number }>()
const server = createSTUNServer({ listen: [{ host, port }] })

server.addEventListener('binding', ({ detail }) => { say('binding', detail) })
await server.listen()
say('listening', { addresses: server.addresses })

obey({
  counters: () => { say('counters', server.counters) }
}, async () => server.close())
