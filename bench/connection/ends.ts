import { once } from 'node:events'
import net from 'node:net'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { tcpSTUN } from '../../src/index.ts'
import { components, plainUpgrader } from '../../test/fixtures/components.ts'
import type { MessageStream, Transport } from '@libp2p/interface'
import type { Libp2p } from 'libp2p'
import type { Uint8ArrayList } from 'uint8arraylist'

/**
 * - `ours` and `@libp2p/tcp`: a connection of the transport, nothing above it
 * - `net`: a socket of Node
 */
export type Subject = 'ours' | '@libp2p/tcp' | 'net'

/**
 * One end of a connection
 */
export interface End {
  /**
   * @returns whether more can be sent before `onDrain` is called
   */
  send (data: Uint8Array | Uint8ArrayList): boolean
  onDrain (handler: () => void): void

  /**
   * Called with the number of received bytes
   */
  onBytes (handler: (length: number) => void): void
}

/**
 * Creates the ends of a connection between two sockets, two transports or two nodes
 */
export interface Ends {
  /**
   * @returns the address to connect to
   */
  listen (onEnd: (end: End) => void): Promise<string>
  connect (address: string): Promise<End>
}

const ANY_PORT = '/ip4/127.0.0.1/tcp/0'
const PROTOCOL = '/bench/1.0.0'
const MAX_STREAMS = 1_000

const TRANSPORTS = {
  // no server is asked for a listener on loopback
  ours: () => tcpSTUN(),
  '@libp2p/tcp': () => tcp()
}

/**
 * The ends of bare connections, or with `stack` of yamux streams over noise
 */
export function createEnds (subject: Subject, stack: boolean): Ends {
  if (subject === 'net') {
    return socketEnds()
  }

  return stack ? nodeEnds(TRANSPORTS[subject]()) : transportEnds(TRANSPORTS[subject]()(components()))
}

function socketEnds (): Ends {
  return {
    async listen (onEnd) {
      const server = net.createServer({ noDelay: true }, socket => { onEnd(socketEnd(socket)) }).listen(0, '127.0.0.1')
      await once(server, 'listening')

      return String((server.address() as net.AddressInfo).port)
    },
    async connect (address) {
      const socket = net.connect({ host: '127.0.0.1', port: Number(address), noDelay: true })
      await once(socket, 'connect')

      return socketEnd(socket)
    }
  }
}

function transportEnds (transport: Transport): Ends {
  return {
    async listen (onEnd) {
      const upgrader = plainUpgrader({ upgradeInbound: async maConn => { onEnd(streamEnd(maConn)) } })
      const listener = transport.createListener({ upgrader })
      await listener.listen(multiaddr(ANY_PORT))

      return String(listener.getAddrs()[0])
    },
    async connect (address) {
      const upgrader = plainUpgrader()
      // not a timeout: @libp2p/tcp ends the connection with the signal of its dial
      await transport.dial(multiaddr(address), { upgrader, signal: new AbortController().signal })

      return streamEnd(upgrader.outbound[0])
    }
  }
}

function nodeEnds (transport: (components: any) => Transport): Ends {
  let dialler: Promise<Libp2p> | undefined

  const start = async (listen: string[]): Promise<Libp2p> => createLibp2p({
    addresses: { listen },
    transports: [transport],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()]
  })

  return {
    async listen (onEnd) {
      const node = await start([ANY_PORT])
      await node.handle(PROTOCOL, stream => { onEnd(streamEnd(stream)) }, { maxInboundStreams: MAX_STREAMS })

      return String(node.getMultiaddrs()[0])
    },
    async connect (address) {
      dialler ??= start([])

      // from the second time on, another stream of the same connection
      return streamEnd(await (await dialler).dialProtocol(multiaddr(address), PROTOCOL, {
        maxOutboundStreams: MAX_STREAMS
      }))
    }
  }
}

function streamEnd (stream: MessageStream): End {
  return {
    send: data => stream.send(data),
    onDrain: handler => { stream.addEventListener('drain', handler) },
    onBytes: handler => { stream.addEventListener('message', ({ data }) => { handler(data.byteLength) }) }
  }
}

function socketEnd (socket: net.Socket): End {
  return {
    // in one write, whatever the pieces: the upper limit
    send: data => socket.write(data instanceof Uint8Array ? data : data.subarray()),
    onDrain: handler => { socket.on('drain', handler) },
    onBytes: handler => { socket.on('data', ({ byteLength }) => { handler(byteLength) }) }
  }
}
