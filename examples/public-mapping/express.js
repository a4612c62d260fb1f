/* eslint-disable no-console -- it talks to whoever runs it */
/**
 * An Express application that tells its visitors the address that they can pass on
 */
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import express from 'express'
import { PublicMapping } from 'libp2p-tcp-stun/mapping'

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '8080' },
    stun: { type: 'string', multiple: true }
  }
})

const app = express()

// app.listen() passes these options on to http.Server
const server = app.listen({ port: Number(values.port), reusePort: true })
await once(server, 'listening')

const mapping = new PublicMapping({ listener: server, stunServers: values.stun })

app.get('/', (request, response) => {
  const { status } = mapping
  response.json({ publicAddress: 'endpoint' in status ? status.endpoint : null, state: status.state })
})

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
