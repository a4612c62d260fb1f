/* eslint-disable no-console -- it talks to whoever runs it */
/**
 * A node of a private network: it has the helper's address and the network's key, and
 * finds all others
 */
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { createLibp2p } from 'libp2p'
import { helperConfig, mergeConfig } from 'tcp-stun/config'

const { values } = parseArgs({
  options: {
    helper: { type: 'string', multiple: true },
    key: { type: 'string' },
    namespace: { type: 'string', default: 'example' }
  }
})

if (values.helper == null) {
  console.error('usage: node index.js --helper ADDRESS_OF_THE_HELPER [--key FILE]')
  process.exit(1)
}

const node = await createLibp2p(mergeConfig(
  await helperConfig(values.helper, {
    namespace: values.namespace,
    networkKey: values.key == null ? undefined : await readFile(values.key)
  }),
  // only once the listeners below are added
  { start: false }
))

node.services.board.addEventListener('registered', ({ detail }) => {
  console.info(`on the board of ${detail.server}`)
})
node.services.board.addEventListener('server:failed', ({ detail }) => {
  console.info(`the helper does not answer: ${detail.error.message}`)
})
node.services.board.addEventListener('peer', ({ detail }) => {
  console.info(`found ${detail.id}`)
})
node.addEventListener('connection:open', ({ detail: { remotePeer, remoteAddr, limits } }) => {
  console.info(`connected to ${remotePeer} ${limits == null ? 'directly' : 'through the relay'}: ${remoteAddr}`)
})

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => node.stop())
}

await node.start()
console.info(`I am ${node.peerId}`)
