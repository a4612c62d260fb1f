/* eslint-disable no-console -- it talks to whoever runs it */
/**
 * A chat between two homes: they meet at a relay, punch a hole, and write over the direct
 * connection
 */
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { tcpSTUN } from 'libp2p-tcp-stun'
import { dcutr } from 'libp2p-tcp-stun/dcutr'

const PROTOCOL = '/example-chat/1.0.0'

/**
 * A message that is longer is cut off, in characters
 */
const MAX_MESSAGE = 4_096

const { values, positionals: [partner] } = parseArgs({
  allowPositionals: true,
  options: {
    relay: { type: 'string' },
    port: { type: 'string', default: '4001' },
    stun: { type: 'string', multiple: true }
  }
})

if (values.relay == null) {
  console.error('usage: node index.js --relay ADDRESS_OF_A_RELAY [ADDRESS_OF_THE_OTHER]')
  process.exit(1)
}

const node = await createLibp2p({
  addresses: { listen: [`/ip4/0.0.0.0/tcp/${values.port}`, '/p2p-circuit'] },
  transports: [tcpSTUN({ stunServers: values.stun }), circuitRelayTransport()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify(), dcutr: dcutr() }
})

await node.handle(PROTOCOL, async (stream, { remotePeer }) => {
  let text = ''
  const decoder = new TextDecoder()

  for await (const chunk of stream) {
    text += decoder.decode(chunk.subarray(), { stream: true })

    if (text.length > MAX_MESSAGE) {
      break
    }
  }

  // a terminal would obey control characters
  console.info(`${remotePeer.toString().slice(-6)}: ${text.slice(0, MAX_MESSAGE).replace(/\p{Cc}/gu, '')}`)
  await stream.close()
}, { runOnLimitedConnection: true })

// each message is a stream of its own, over the best connection that there is
async function send (text) {
  const connections = node.getConnections().filter(({ remotePeer }) => !remotePeer.equals(relay.remotePeer))
  const connection = connections.find(({ limits }) => limits == null) ?? connections[0]

  if (connection == null) {
    console.info('nobody is here yet')
    return
  }

  const stream = await connection.newStream(PROTOCOL, { runOnLimitedConnection: true })
  stream.send(new TextEncoder().encode(text))
  await stream.close()
}

node.services.dcutr.addEventListener('hole-punch:success', ({ detail }) => {
  console.info(`direct connection after ${Math.round(detail.duration)} ms: ${detail.connection.remoteAddr}`)
})
node.services.dcutr.addEventListener('hole-punch:failure', ({ detail }) => {
  console.info(`still relayed: ${detail.error.message}`)
})

const relay = await node.dial(multiaddr(values.relay))

// a relay that we are connected to gives us a slot
await new Promise(resolve => {
  const look = () => {
    if (node.getMultiaddrs().some(address => address.toString().includes('/p2p-circuit'))) {
      node.removeEventListener('self:peer:update', look)
      resolve()
    }
  }

  node.addEventListener('self:peer:update', look)
  look()
})
console.info(`others reach you at ${values.relay}/p2p-circuit/p2p/${node.peerId}`)

if (partner != null) {
  await node.dial(multiaddr(partner))
}

const input = createInterface({ input: process.stdin })

input.on('line', text => {
  send(text).catch(err => { console.error(`not sent: ${err.message}`) })
})
input.once('close', async () => node.stop())
