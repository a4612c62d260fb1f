/* eslint-disable no-console -- it talks to whoever runs it */
/**
 * A plain TCP server, without libp2p, that says where on the internet it is
 */
import net from 'node:net'
import { parseArgs } from 'node:util'
import { multiaddr } from '@multiformats/multiaddr'
import { PublicMapping } from 'libp2p-tcp-stun/mapping'

const { values, positionals: stunServers } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string', default: '4001' },
    'keep-alive': { type: 'string', default: '15' },
    reconnect: { type: 'string', default: '10' }
  }
})

// the port is shared with the connections to the STUN servers
const server = net.createServer(socket => {
  socket.on('error', () => {})
  socket.end('hello\n')
})
server.listen({ host: '0.0.0.0', port: Number(values.port), reusePort: true })

const mapping = new PublicMapping({}, {
  listener: multiaddr(`/ip4/0.0.0.0/tcp/${values.port}`),
  stunServers,
  keepAliveInterval: 1_000 * Number(values['keep-alive']),
  minReconnectInterval: 1_000 * Number(values.reconnect)
})

mapping.addEventListener('mapped', ({ detail }) => { console.info(`dialable at ${detail.external}`) })
mapping.addEventListener('changed', ({ detail }) => { console.info(`moved to ${detail.external}`) })
mapping.addEventListener('lost', ({ detail }) => { console.info(`not dialable: ${detail.reason?.message ?? 'the NAT gives every peer another port'}`) })
mapping.addEventListener('status', ({ detail }) => {
  for (const { server, error } of detail.failures) {
    console.info(`${server} is no help: ${error.message}`)
  }
})

const close = async () => {
  server.close()
  await mapping.close()
}

process.once('SIGINT', close)
process.once('SIGTERM', close)

await mapping.start()
