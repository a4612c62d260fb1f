/* eslint-disable no-console -- it talks to whoever runs it */
/**
 * A web server of `node:http` that says where on the Internet it is
 */
import { once } from 'node:events'
import http from 'node:http'
import { parseArgs } from 'node:util'
import { PublicMapping } from 'libp2p-tcp-stun/mapping'

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '8080' },
    stun: { type: 'string', multiple: true }
  }
})

const server = http.createServer((request, response) => {
  response.end(`Hello ${request.socket.remoteAddress}\n`)
})

// reusePort: the port is shared with the connections to the STUN servers
server.listen({ port: Number(values.port), reusePort: true })
await once(server, 'listening')

// without stunServers it asks public ones
const mapping = new PublicMapping({ listener: server, stunServers: values.stun })

const show = ({ detail: { endpoint: { host, port } } }) => { console.info(`public address http://${host}:${port}/`) }
mapping.addEventListener('mapped', show)
mapping.addEventListener('changed', show)
mapping.addEventListener('lost', ({ detail }) => { console.info(`no public address: ${detail.state}`) })

await mapping.start()

const stop = async () => {
  await mapping.stop()
  server.close()
  server.closeAllConnections()
}

process.once('SIGINT', stop)
process.once('SIGTERM', stop)
