/**
 * A peer that misbehaves in the DCUtR exchange, in both of its roles
 */
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { lpStream } from '@libp2p/utils'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { CONNECT, HolePunch, SYNC } from '../../../src/dcutr/message.ts'
import { DCUTR_PROTOCOL } from '../../../src/punch/role.ts'
import { emit, handleCommands, readOptions } from '../../child/commands.ts'
import type { Connection, Stream } from '@libp2p/interface'

/**
 * - `rubbish`: random bytes in place of CONNECT
 * - `oversized`: a message that says it has 2^31 bytes
 * - `thousand`: CONNECT with a thousand addresses, as many as fit
 * - `private`: CONNECT with addresses of private networks only
 * - `silent`: nothing at all
 * - `no-sync`: CONNECT, and then nothing
 * - `hang-up`: ends the stream after CONNECT
 */
export type Misbehaviour = 'rubbish' | 'oversized' | 'thousand' | 'private' | 'silent' | 'no-sync' | 'hang-up'

export interface HostilePartnerInit {
  relay: string
  misbehaviour: Misbehaviour
}

const { relay, misbehaviour } = readOptions<HostilePartnerInit>()

const ADDRESSES: Partial<Record<Misbehaviour, string[]>> = {
  // some hundred are what 4 KiB hold
  thousand: Array.from({ length: 300 }, (_, i) => `/ip4/11.9.${i >> 8}.${i & 0xff}/tcp/4001`),
  private: [
    '/ip4/192.168.1.1/tcp/80',
    '/ip4/127.0.0.1/tcp/4001',
    '/ip4/10.0.0.1/tcp/22',
    '/ip6/fe80::1/tcp/80',
    `${relay}/p2p-circuit`
  ]
}

const node = await createLibp2p({
  addresses: { listen: [`${relay}/p2p-circuit`] },
  transports: [tcp(), circuitRelayTransport()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify(), ping: ping() }
})

async function misbehave (stream: Stream, isAsking: boolean): Promise<void> {
  const messages = lpStream(stream)
  const addresses = (ADDRESSES[misbehaviour] ?? ['/ip4/11.9.0.1/tcp/4001']).map(address => multiaddr(address).bytes)

  switch (misbehaviour) {
    case 'silent': return
    case 'rubbish':
      await messages.write(crypto.getRandomValues(new Uint8Array(500)))
      break
    case 'oversized':
      stream.send(Uint8Array.from([0xff, 0xff, 0xff, 0xff, 0x07]))
      break
    default:
      await messages.write(HolePunch.encode({ type: CONNECT, addresses }))
  }

  if (misbehaviour === 'hang-up') {
    stream.abort(new Error('hang up'))
  } else if (misbehaviour !== 'no-sync' && isAsking) {
    await messages.read()
    await messages.write(HolePunch.encode({ type: SYNC, addresses: [] }))
  }
}

await node.handle(DCUTR_PROTOCOL, async stream => {
  emit('asked')
  await misbehave(stream, false).catch(() => {})
}, { runOnLimitedConnection: true, maxInboundStreams: 8 })

node.addEventListener('connection:open', ({ detail: connection }: CustomEvent<Connection>) => {
  emit('connected', { peer: connection.remotePeer.toString(), remote: connection.remoteAddr.toString() })

  if (connection.direction === 'inbound' && connection.remoteAddr.toString().includes('p2p-circuit')) {
    connection.newStream(DCUTR_PROTOCOL, { runOnLimitedConnection: true })
      .then(async stream => {
        emit('asking')
        await misbehave(stream, true)
      })
      .catch(err => { emit('refused', { message: err.message }) })
  }
})

emit('started', { id: node.peerId.toString() })

handleCommands({
  dial: async ({ address }) => {
    await node.dial(multiaddr(address), { signal: AbortSignal.timeout(20_000) })
    emit('dialled')
  }
}, async () => node.stop())
