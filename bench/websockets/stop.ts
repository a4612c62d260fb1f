/**
 * A node that is stopped while it has WebSockets, or the peers that have opened them, in a process of its own
 */
import net from 'node:net'
import { noise } from '@libp2p/noise'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { WebSockets } from '@multiformats/multiaddr-matcher'
import { createLibp2p } from 'libp2p'
import { pEvent } from 'p-event'
import { tcpSTUN } from '../../src/index.ts'
import { UPGRADE } from '../../test/websockets/upgrade.ts'
import { answer } from '../lib/child.ts'
import type { Stream, Transport } from '@libp2p/interface'
import type { Libp2p } from 'libp2p'

const FLOOD = '/bench/flood/1.0.0'

export type StopQuestion =
  /** Answered with the multiaddr for WebSockets */
  { do: 'listen' } |
  /** So many connections of each kind: silent, half open and busy */
  { do: 'connect', address: string, count: number } |
  /** Answered with the time that it took, in ms */
  { do: 'stop' }

let node: Libp2p | undefined

answer(async (question: StopQuestion): Promise<string | number | undefined> => {
  switch (question.do) {
    case 'listen':
      node = await start(tcpSTUN({ webSockets: true }), ['/ip4/127.0.0.1/tcp/0'])
      await node.handle(FLOOD, flood)

      return String(node.getMultiaddrs().find(ma => WebSockets.exactMatch(ma)))
    case 'connect':
      await Promise.all(Array.from({ length: question.count }, async () => connect(question.address)))
      break
    default: {
      const begin = performance.now()
      await node?.stop()

      return performance.now() - begin
    }
  }
})

async function start (transport: (components: any) => Transport, listen: string[] = []): Promise<Libp2p> {
  return createLibp2p({
    addresses: { listen },
    transports: [transport],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    // those that are silent are pending
    connectionManager: { inboundConnectionThreshold: Infinity, maxIncomingPendingConnections: Infinity }
  })
}

/**
 * One connection of each kind
 */
async function connect (address: string): Promise<void> {
  const port = Number(multiaddr(address).getComponents()[1].value)
  await openWebSocket(port)
  // it reads no more, so no FIN and no Close frame is answered
  const halfOpen = await openWebSocket(port)
  halfOpen.pause()
  const peer = await start(webSockets())
  const stream = await peer.dialProtocol(multiaddr(address), FLOOD)
  flood(stream)
  await pEvent(stream, 'message')
}

async function openWebSocket (port: number): Promise<net.Socket> {
  const socket = net.connect({ host: '127.0.0.1', port })
  socket.on('error', () => {})
  socket.write(UPGRADE)
  await pEvent(socket, 'data')

  return socket
}

function flood (stream: Stream): void {
  const fill = (): void => {
    while (stream.status === 'open' && stream.writeStatus === 'writable' && stream.send(new Uint8Array(65_536))) {
      // until it is full
    }
  }
  stream.addEventListener('drain', fill)
  stream.addEventListener('message', () => {})
  fill()
}
