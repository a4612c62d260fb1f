/* eslint-disable no-console -- it talks to whoever runs it */
/**
 * A node at home that chats with the pages: `node home.js ADDRESS_OF_THE_HELPER`
 */
import { createInterface } from 'node:readline'
import { createLibp2p } from 'libp2p'
import { helperConfig } from 'tcp-stun/config'
import { partners, receive, send } from './chat.js'

const [,, address] = process.argv

if (address == null) {
  console.error('usage: node home.js ADDRESS_OF_THE_HELPER')
  process.exit(1)
}

const helper = address.split('/p2p/').at(-1)
const node = await createLibp2p(await helperConfig(address, { namespace: 'example-chat', webSockets: true }))
const ways = new Map()

await receive(node, (peer, text) => {
  // a terminal would obey control characters
  console.info(`${peer.toString().slice(-6)}: ${text.replace(/\p{Cc}/gu, '')}`)
})

/**
 * A peer may be connected in a better way later
 */
function showPeers () {
  for (const { peer, way } of partners(node, helper)) {
    if (ways.get(peer.toString()) !== way) {
      ways.set(peer.toString(), way)
      console.info(`${peer.toString().slice(-6)} is connected ${way}`)
    }
  }
}

node.addEventListener('connection:open', showPeers)
showPeers()
console.info(`you are ${node.peerId.toString().slice(-6)}`)

const input = createInterface({ input: process.stdin })

input.on('line', text => {
  send(node, helper, text).catch(err => { console.error(`not sent: ${err.message}`) })
})
input.once('close', async () => node.stop())
