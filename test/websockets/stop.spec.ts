import { once } from 'node:events'
import { noise } from '@libp2p/noise'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { WebSockets } from '@multiformats/multiaddr-matcher'
import { createLibp2p } from 'libp2p'
import { pEvent } from 'p-event'
import { tcpSTUN } from '../../src/index.ts'
import { createCertificate } from '../fixtures/certificate.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { connectTo, openPort } from './open-port.ts'
import { UPGRADE } from './upgrade.ts'
import type { Libp2p } from '@libp2p/interface'

/**
 * A hang shows by this time, in ms; libp2p's own waits do too
 */
const STOPPED = { timeout: 10_000 }

describe('stopping a node whose port is shared', () => {
  const { closeLater } = closesAfterEach()

  async function createNode (listens: boolean): Promise<Libp2p> {
    const certificate = closeLater(createCertificate())
    const node = await createLibp2p({
      addresses: { listen: listens ? ['/ip4/127.0.0.1/tcp/0'] : [] },
      transports: listens
        ? [tcpSTUN({
            stunServers: [],
            webSockets: {
              certificate: { key: certificate.key, cert: certificate.cert },
              onRequest: (request, response) => { response.write('without end') }
            }
          })]
        : [webSockets()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      connectionGater: { denyDialMultiaddr: () => false }
    })

    return closeLater(Object.assign(node, { close: async () => { await node.stop() } }))
  }

  function portOf (node: Libp2p): number {
    return Number(node.getMultiaddrs()[0].getComponents()[1].value)
  }

  for (const { name, first, answers } of [
    { name: 'that is silent', first: '', answers: false },
    { name: 'that has sent half a method', first: 'GE', answers: false },
    { name: 'that has sent half a request', first: 'GET / HTTP/1.1\r\nHost:', answers: false },
    { name: 'that has sent half a ClientHello', first: '\x16\x03\x01\x01\x00\x01', answers: false },
    { name: 'whose answer is not complete', first: 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n', answers: true },
    { name: 'that has opened a WebSocket and says nothing', first: UPGRADE, answers: true }
  ]) {
    it(`ends a connection ${name}`, async () => {
      const node = await createNode(true)
      const client = closeLater(await connectTo(portOf(node), first))
      const answered = answers ? once(client.socket, 'data') : undefined
      // the node has accepted it
      const witness = await fetch(`http://127.0.0.1:${portOf(node)}/`)
      await witness.body?.cancel()

      await answered
      await Promise.race([node.stop(), late()])
      await client.closed
    })
  }

  it('ends a WebSocket that is half open: its client is gone without a word', async () => {
    const { listener, port, next } = await openPort()
    const client = closeLater(await connectTo(port, UPGRADE))
    await next()
    // it reads no more, so no FIN and no Close frame is ever answered
    client.socket.pause()

    await Promise.race([listener.close(), late()])
  })

  it('ends WebSockets with streams that are busy', async () => {
    const node = await createNode(true)
    const dialer = await createNode(false)
    await node.handle('/flood', stream => {
      const fill = (): void => {
        while (stream.status === 'open' && stream.send(new Uint8Array(65_536))) {
          // until it is full
        }
      }
      stream.addEventListener('drain', fill)
      fill()
    })
    const address = node.getMultiaddrs().find(ma => WebSockets.exactMatch(ma))
    const connection = await dialer.dial(address ?? [])
    const stream = await connection.newStream('/flood')
    await pEvent(stream, 'message', STOPPED)

    const closed = pEvent(connection, 'close', STOPPED)
    await Promise.race([node.stop(), late()])
    await closed
  })
})

async function late (): Promise<never> {
  return new Promise((resolve, reject) => {
    setTimeout(() => { reject(new Error('it did not stop in time')) }, STOPPED.timeout).unref()
  })
}
