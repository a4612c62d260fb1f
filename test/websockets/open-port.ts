import net from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import { TypedEventEmitter } from 'main-event'
import { pEvent } from 'p-event'
import { tcpSTUN } from '../../src/index.ts'
import { components, plainUpgrader } from '../fixtures/components.ts'
import type { TCPSTUNComponents, TCPSTUNInit, WebSocketsOptions } from '../../src/index.ts'
import type { Listener, MultiaddrConnection } from '@libp2p/interface'

const EVENT = { timeout: 10_000 }

export interface OpenPort {
  listener: Listener
  port: number

  /**
   * Those that were accepted, and not taken by `next` yet
   */
  connections: MultiaddrConnection[]

  /**
   * The next connection that is accepted
   */
  next(): Promise<MultiaddrConnection>
  addrs(): string[]
  close(): Promise<void>
}

export interface OpenPortInit {
  webSockets?: boolean | WebSocketsOptions
  init?: TCPSTUNInit
  overrides?: Partial<TCPSTUNComponents>
  address?: string
}

/**
 * A listener that also takes WebSocket connections, with an upgrader that upgrades nothing
 */
export async function openPort (
  { webSockets = true, init, overrides, address = '/ip4/127.0.0.1/tcp/0' }: OpenPortInit = {}
): Promise<OpenPort> {
  const events = new TypedEventEmitter<{ connection: Event }>()
  const connections: MultiaddrConnection[] = []
  const upgrader = plainUpgrader({
    upgradeInbound: async maConn => {
      connections.push(maConn)
      events.dispatchEvent(new Event('connection'))
    }
  })
  const listener = tcpSTUN({ stunServers: [], ...init, webSockets })(components(overrides)).createListener({ upgrader })
  await listener.listen(multiaddr(address))
  const addrs = (): string[] => listener.getAddrs().map(String)

  return {
    listener,
    connections,
    port: Number(listener.getAddrs().at(-1)?.getComponents()[1]?.value),
    addrs,
    next: async () => {
      while (true) {
        const maConn = connections.shift()

        if (maConn != null) {
          return maConn
        }

        await pEvent(events, 'connection', EVENT)
      }
    },
    close: async () => listener.close()
  }
}

/**
 * What a connection delivers until it closes
 */
export interface RawConnection {
  socket: net.Socket

  /**
   * All that was received, once the connection has closed: how it did comes last, as the
   * error's code or `end`
   */
  closed: Promise<{ text: string, bytes: Buffer, how: string }>
  close(): void
}

/**
 * Connect by TCP and send something
 */
export async function connectTo (port: number, first?: string | Uint8Array): Promise<RawConnection> {
  const socket = net.connect({ host: '127.0.0.1', port, noDelay: true })
  const chunks: Buffer[] = []
  let how = 'end'
  socket.on('data', chunk => { chunks.push(chunk) })
  socket.on('error', (err: NodeJS.ErrnoException) => { how = err.code ?? err.message })
  const closed = new Promise<void>(resolve => { socket.once('close', () => { resolve() }) })
  await pEvent(socket, 'connect', EVENT)

  if (first != null) {
    socket.write(first)
  }

  return {
    socket,
    closed: closed.then(() => {
      const bytes = Buffer.concat(chunks)

      return { text: bytes.toString('latin1'), bytes, how }
    }),
    close: () => { socket.destroy() }
  }
}
