/**
 * Runs in a network namespace of its own, without the privilege to bind ports below
 * 1024: dials a server from port 443, as a node does that has listened there and has
 * given its privileges up since. Prints the local port of the connection.
 */
import { execFileSync } from 'node:child_process'
import net from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import { pEvent } from 'p-event'
import { tcpSTUN } from '../../../src/index.ts'
import { components, plainUpgrader } from '../../fixtures/components.ts'

execFileSync('ip', ['link', 'set', 'lo', 'up'])

const server = net.createServer().listen({ host: '127.0.0.2', port: 4001 })
await pEvent(server, 'listening')
const accepted = pEvent<'connection', net.Socket>(server, 'connection')
server.on('connection', socket => { socket.on('error', () => {}) })
const transport: any = tcpSTUN({ stunServers: [], mappingTimeout: 0 })(components())
const connection = await transport.dial(multiaddr('/ip4/127.0.0.2/tcp/4001'), {
  upgrader: plainUpgrader(),
  localPorts: [{ host: '127.0.0.1', port: 443, family: 4 }],
  signal: AbortSignal.timeout(5_000)
})
process.stdout.write(`${(await accepted).remotePort}\n`)
connection.abort(new Error('done'))
server.close()
