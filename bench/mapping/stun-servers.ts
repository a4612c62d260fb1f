/**
 * Two STUN servers in one process, without the limits that are for strangers
 */
import { createSTUNServer } from '../../src/server/index.ts'
import { answer } from '../lib/child.ts'

const UNLIMITED = {
  maxConnections: 100_000,
  maxConnectionsPerAddress: 100_000,
  maxNewConnectionsPerSecond: 100_000
}

const server = createSTUNServer({
  ...UNLIMITED,
  listen: [
    { host: '127.0.0.1', port: 0 },
    { host: '127.0.0.2', port: 0 }
  ]
})
await server.listen()

answer(async () => server.addresses.map(({ host, port }) => `stun:${host}:${port}`))
