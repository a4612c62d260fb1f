import { once } from 'node:events'
import net from 'node:net'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { TCP, WebSockets } from '@multiformats/multiaddr-matcher'
import { TypedEventEmitter } from 'main-event'
import { tcpSTUN } from '../../src/index.ts'
import { components, plainUpgrader } from '../../test/fixtures/components.ts'
import type { Libp2pEvents, MessageStream, Transport } from '@libp2p/interface'
import type { MultiaddrMatcher } from '@multiformats/multiaddr-matcher'
import type { Libp2p } from 'libp2p'
import type { Uint8ArrayList } from 'uint8arraylist'

/**
 * - `ours` and `@libp2p/tcp`: a connection of the transport, nothing above it
 * - `shared`: the same as `ours`, and the port that is dialled takes WebSockets too
 * - `ours by ws`: that port is dialled by WebSocket
 * - `@libp2p/websockets`: a port of its own is dialled by WebSocket
 * - `net`: a socket of Node
 */
export type Subject = keyof typeof TRANSPORTS | 'net'

interface Transports {
  listen: TransportFactory
  dial: TransportFactory
  matcher: MultiaddrMatcher
}

type TransportFactory = (components: any) => Transport

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

// what not all of them need is loaded when it is needed; no server is asked for a listener on loopback
const TRANSPORTS = {
  ours: async () => ({ listen: tcpSTUN(), dial: tcpSTUN(), matcher: TCP }),
  '@libp2p/tcp': async () => ({ listen: tcp(), dial: tcp(), matcher: TCP }),
  shared: async () => ({ listen: tcpSTUN({ webSockets: true }), dial: tcpSTUN(), matcher: TCP }),
  'ours by ws': async () => ({ listen: tcpSTUN({ webSockets: true }), dial: await webSockets(), matcher: WebSockets }),
  '@libp2p/websockets': async () => ({ listen: await webSockets(), dial: await webSockets(), matcher: WebSockets })
} satisfies Record<string, () => Promise<Transports>>

async function webSockets (): Promise<TransportFactory> {
  const { webSockets } = await import('@libp2p/websockets')

  return webSockets()
}

/**
 * The ends of bare connections, or with `stack` of yamux streams over noise
 */
export async function createEnds (subject: Subject, stack: boolean): Promise<Ends> {
  if (subject === 'net') {
    return socketEnds()
  }

  // `@libp2p/websockets` cannot listen on a plain address
  const listenAddr = subject === '@libp2p/websockets' ? `${ANY_PORT}/ws` : ANY_PORT

  const transports = await TRANSPORTS[subject]()

  return stack ? nodeEnds(transports, listenAddr) : transportEnds(transports, listenAddr)
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

function transportEnds ({ listen, dial, matcher }: Transports, listenAddr: string): Ends {
  const events = new TypedEventEmitter<Libp2pEvents>()
  const dialer = dial(components({ events }))

  return {
    async listen (onEnd) {
      const upgrader = plainUpgrader({ upgradeInbound: async maConn => { onEnd(streamEnd(maConn)) } })
      const listener = listen(components({ events })).createListener({ upgrader })
      await listener.listen(multiaddr(listenAddr))

      return String(listener.getAddrs().find(ma => matcher.exactMatch(ma)))
    },
    async connect (address) {
      const upgrader = plainUpgrader()
      // not a timeout: @libp2p/tcp ends the connection with the signal of its dial
      await dialer.dial(multiaddr(address), { upgrader, signal: new AbortController().signal })

      return streamEnd(upgrader.outbound[0])
    }
  }
}

function nodeEnds ({ listen, dial, matcher }: Transports, listenAddr: string): Ends {
  let dialler: Promise<Libp2p> | undefined

  const start = async (addresses: string[], transport: TransportFactory): Promise<Libp2p> => {
    const [{ createLibp2p }, { noise }, { yamux }] = await Promise.all([
      import('libp2p'),
      import('@libp2p/noise'),
      import('@libp2p/yamux')
    ])

    return createLibp2p({
      addresses: { listen: addresses },
      transports: [transport],
      connectionGater: { denyDialMultiaddr: () => false },
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()]
    })
  }

  return {
    async listen (onEnd) {
      const node = await start([listenAddr], listen)
      await node.handle(PROTOCOL, stream => { onEnd(streamEnd(stream)) }, { maxInboundStreams: MAX_STREAMS })

      return String(node.getMultiaddrs().find(ma => matcher.exactMatch(ma)))
    },
    async connect (address) {
      dialler ??= start([], dial)

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
