/* eslint-disable no-console -- it talks to whoever runs it */
/**
 * The node of an ordinary home: strangers dial it where the router lets them in, and peers
 * punch a hole where it does not
 */
import { parseArgs } from 'node:util'
import { autoNATv2 } from '@libp2p/autonat-v2'
import { bootstrap } from '@libp2p/bootstrap'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify, identifyPush } from '@libp2p/identify'
import { kadDHT } from '@libp2p/kad-dht'
import { noise } from '@libp2p/noise'
import { peerIdFromString } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { natStatus, tcpSTUN } from 'libp2p-tcp-stun'
import { dcutr } from 'libp2p-tcp-stun/dcutr'

/**
 * Peers of the public IPFS network. They serve the DHT and AutoNAT, and know relays.
 */
const IPFS = [
  '/dnsaddr/bootstrap.libp2p.io/p2p/QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN',
  '/dnsaddr/bootstrap.libp2p.io/p2p/QmbLHAnMoJPWSCR5Zhtx6BHJX9KiKNN6tpvbUcqanj75Nb',
  '/dnsaddr/bootstrap.libp2p.io/p2p/QmcZf59bWwK5XFi76CZX8cbJ4BhTzzA3gU1ZjYZcYW3dwt'
]

const { values, positionals: [peer] } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string', default: '4001' },
    stun: { type: 'string', multiple: true },
    bootstrap: { type: 'string', multiple: true, default: IPFS }
  }
})

const node = await createLibp2p({
  // only once the listeners below are added
  start: false,
  addresses: {
    listen: [
      `/ip4/0.0.0.0/tcp/${values.port}`,
      `/ip6/::/tcp/${values.port}`,
      // a slot at a relay: peers meet us there until there is a direct connection
      '/p2p-circuit'
    ]
  },
  transports: [
    // without `stunServers` it asks the public ones
    tcpSTUN({ stunServers: values.stun }),
    circuitRelayTransport()
  ],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  // the first peers to know
  peerDiscovery: [bootstrap({ list: values.bootstrap, timeout: 0 })],
  services: {
    // tells peers our addresses, also when they change
    identify: identify(),
    identifyPush: identifyPush(),
    // has other peers find out whether strangers can dial us
    autoNAT: autoNATv2(),
    // turns a relayed connection into a direct one. In place of @libp2p/dcutr
    dcutr: dcutr(),
    // finds peers by their id, and relays. It serves others once strangers can dial us
    dht: kadDHT(),
    ping: ping()
  }
})

natStatus(node).addEventListener('status', ({ detail }) => {
  if (!('external' in detail)) {
    console.info(`${detail.listener}: ${detail.state}`)
    return
  }

  console.info(`${detail.listener}: public address ${detail.external}, ${{
    unknown: 'not tested from outside yet',
    public: 'strangers can dial it',
    private: 'reachable by hole punching only'
  }[detail.reachability]}`)
})

let isReserved = false

node.addEventListener('self:peer:update', () => {
  const [address] = node.getMultiaddrs().map(String).filter(text => text.includes('/p2p-circuit'))

  if (address != null && !isReserved) {
    isReserved = true
    console.info(`reachable through a relay: ${address}`)
  }
})

node.addEventListener('connection:open', ({ detail: { remotePeer, remoteAddr, limits, direction } }) => {
  // of the many peers of a DHT, only whom we asked for, and who reach us through a relay
  if (remotePeer.toString() === peer || (direction === 'inbound' && limits != null)) {
    console.info(`connected to ${remotePeer} ${limits == null ? 'directly' : 'through a relay'}: ${remoteAddr}`)
  }
})

node.services.dcutr.addEventListener('hole-punch:success', ({ detail }) => {
  console.info(`punched to ${detail.peer} in ${Math.round(detail.duration)} ms: ${detail.connection.remoteAddr}`)
})

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => node.stop())
}

await node.start()
console.info(`I am ${node.peerId}`)

if (peer != null) {
  const { multiaddrs } = await node.peerRouting.findPeer(peerIdFromString(peer))
  console.info(`the DHT knows ${peer} at ${multiaddrs.join(' and ')}`)
  await node.dial(peerIdFromString(peer))
}
