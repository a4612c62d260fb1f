/* eslint-disable no-console -- it talks to whoever runs it */
/**
 * A Helia node at home: it has a file, and stock Helia nodes outside fetch it by dialling
 * this one
 */
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { libp2pDefaults } from '@helia/libp2p'
import { unixfs } from '@helia/unixfs'
import { autoNATv2 } from '@libp2p/autonat-v2'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { webSockets } from '@libp2p/websockets'
import { createHelia } from 'helia'
import { natStatus, tcpSTUN } from 'libp2p-tcp-stun'
import { dcutr } from 'libp2p-tcp-stun/dcutr'

const { values, positionals: [file = import.meta.filename] } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string', default: '4001' },
    stun: { type: 'string', multiple: true }
  }
})

const defaults = libp2pDefaults()
const helia = await createHelia({
  libp2p: {
    // what is not named here is as in every Helia node
    addresses: { listen: [`/ip4/0.0.0.0/tcp/${values.port}`, `/ip6/::/tcp/${values.port}`, '/p2p-circuit'] },
    // tcpSTUN() in place of tcp()
    transports: [tcpSTUN({ stunServers: values.stun }), circuitRelayTransport(), webSockets()],
    services: {
      ...defaults.services,
      // in place of that of @libp2p/dcutr
      dcutr: dcutr(),
      // in place of version 1, whose servers in js-libp2p close the connection that a peer has
      // dialled us by, when we ask them to test that very address
      autoNAT: autoNATv2()
    }
  }
}).start()

natStatus(helia.libp2p).addEventListener('status', ({ detail }) => { print(detail) })
natStatus(helia.libp2p).listeners.forEach(print)

function print (status) {
  if ('external' in status) {
    console.info(`public address ${status.external}/p2p/${helia.libp2p.peerId}`)
  }
}

const cid = await unixfs(helia).addBytes(await readFile(file))
console.info(`shares ${file} as ${cid}`)

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => helia.stop())
}
