import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { generateKey, preSharedKey } from '@libp2p/pnet'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { TCP, WebSockets } from '@multiformats/multiaddr-matcher'
import { expect } from 'aegir/chai'
import { createLibp2p } from 'libp2p'
import { tcpSTUN } from '../../src/index.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import type { Libp2p, Transport } from '@libp2p/interface'
import type { Ping } from '@libp2p/ping'

/**
 * With a sniff of one byte, 24 of 200 dials were taken for something else
 */
const DIALS = 200

describe('a shared port in a private network', function () {
  this.timeout(60_000)

  const { closeLater } = closesAfterEach()
  const psk = new Uint8Array(95)
  generateKey(psk)

  async function createNode (
    listen: string[],
    transport: (components: any) => Transport
  ): Promise<Libp2p<{ ping: Ping }>> {
    const node = await createLibp2p({
      addresses: { listen },
      transports: [transport],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      connectionProtector: preSharedKey({ psk }),
      connectionGater: { denyDialMultiaddr: () => false },
      connectionManager: { inboundConnectionThreshold: Infinity },
      services: { ping: ping() }
    })

    return closeLater(Object.assign(node, { close: async () => { await node.stop() } }))
  }

  for (const { name, transport, matcher } of [
    { name: 'TCP', transport: tcpSTUN({ stunServers: [] }), matcher: TCP },
    { name: 'WebSocket', transport: webSockets(), matcher: WebSockets }
  ]) {
    it(`takes ${DIALS} of ${DIALS} dials by ${name} for what they are`, async () => {
      const node = await createNode(['/ip4/127.0.0.1/tcp/0'], tcpSTUN({ stunServers: [], webSockets: true }))
      const dialer = await createNode([], transport)
      const address = node.getMultiaddrs().find(ma => matcher.exactMatch(ma))
      let failures = 0

      for (let i = 0; i < DIALS; i++) {
        try {
          await dialer.dial(address ?? [], { force: true })
          await dialer.hangUp(node.peerId)
        } catch {
          failures++
        }
      }

      expect(failures).to.equal(0)
    })
  }
})
