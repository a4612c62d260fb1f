/**
 * The program at home in the laboratory: our listener, and models of Natter and natmap
 * that take the same steps as their sources. None of their code is here, and the
 * models exclude the cost of Python and of process starts.
 */
import net from 'node:net'
import { defaultLogger } from '@libp2p/logger'
import { multiaddr } from '@multiformats/multiaddr'
import { pEvent } from 'p-event'
import { tcpSTUN } from '../../src/index.ts'
import { bindSocket } from '../../src/net/bound-socket.ts'
import { createTransactionId, decodeMessage, encodeMessage, getAttribute } from '../../src/stun/index.ts'
import { emit, handleCommands, readOptions } from '../../test/child/commands.ts'
import type { Endpoint } from '../../src/stun/index.ts'
import type { Listener } from '@libp2p/interface'

export interface LabClientInit {
  /**
   * STUN servers at port 3478. The first two answer.
   */
  servers: string[]

  /**
   * An HTTP server, which listens on port 80
   */
  web: string
}

export type Way = 'ours' | 'limit' | 'natmap' | 'Natter'

/**
 * Natter's `socket.settimeout`, in ms: it reads the answer to its HEAD until nothing has
 * come for this long
 */
const NATTER_TIMEOUT = 3_000

/**
 * Natter checks its address after this many keep-alives
 */
const NATTER_KEEP_ALIVES_PER_CHECK = 20

const ANY = { host: '0.0.0.0', port: 0 }
const { servers, web } = readOptions<LabClientInit>()
const webServer = { host: web, port: 80 }
const stunServers = servers.map(host => ({ host, port: 3478 }))

/**
 * What to close before the next measurement
 */
const open: Array<() => unknown> = []
let listening: Listener | undefined

/**
 * How many servers have reported the address of our listener
 */
let agreed = 0

const FIRST_ADDRESS: Record<Way, () => Promise<void>> = {
  ours: async () => {
    const listener = await listen({ minReconnectInterval: 0 })
    // listen() has waited for the mapping
    if (!listener.getAddrs().some(addr => addr.toString().startsWith('/ip4/11.'))) {
      throw new Error(`no external address in ${listener.getAddrs().join(' ')}`)
    }
  },

  // the lower limit: a connection and a request
  limit: async () => {
    await ask(ANY.port, stunServers[0])
  },

  // the web server first, then from its port the STUN server, while HEAD is sent
  natmap: async () => {
    const socket = await connect(ANY.port, webServer)
    socket.write(`HEAD / HTTP/1.1\r\nHost: ${web}\r\nConnection: keep-alive\r\n\r\n`)
    await ask(socket.localPort ?? 0, stunServers[0])
  },

  // the STUN server, the web server from its port until that is silent, and the
  // STUN server again: the next one, the connection to the first is in TIME_WAIT
  Natter: async () => {
    const { port } = await ask(ANY.port, stunServers[0])
    const socket = await connect(port, webServer)
    await head(socket)
    await ask(port, stunServers[1])
  }
}

handleCommands({
  first: async ({ way }: { way: Way }) => {
    await cleanUp()
    const start = performance.now()
    await FIRST_ADDRESS[way]()
    emit('first', { time: performance.now() - start, agreed })
  },

  // hold a mapping by this many connections, or as Natter does, with a keep-alive
  // interval in ms
  hold: async ({ interval, stunConnections }: { interval: number, stunConnections?: number }) => {
    await cleanUp()

    if (stunConnections == null) {
      await holdAsNatter(interval)
    } else {
      await listen({ stunConnections, keepAliveInterval: interval, minReconnectInterval: 0 })
    }

    emit('hold')
  }
}, cleanUp)

emit('started')

async function listen (init: object): Promise<Listener> {
  listening = tcpSTUN({
    stunServers: servers.map(host => `stun:${host}`),
    mappingTimeout: 20_000,
    onMappingChange: status => { agreed = status.state === 'mapped' ? status.servers.length : 0 },
    ...init
  })({ logger: defaultLogger() }).createListener({ upgrader: {} as any })
  await listening.listen(multiaddr('/ip4/0.0.0.0/tcp/0'))

  return listening
}

async function holdAsNatter (interval: number): Promise<void> {
  const { port } = await ask(ANY.port, stunServers[0])
  const socket = await connect(port, webServer)
  socket.on('data', () => {})
  let sent = 0
  const timer = setInterval(() => {
    socket.write(natterHead())

    if (++sent % NATTER_KEEP_ALIVES_PER_CHECK === 0) {
      // the servers in turn: the connection to the last one is in TIME_WAIT
      ask(port, stunServers[(sent / NATTER_KEEP_ALIVES_PER_CHECK) % stunServers.length]).catch(err => {
        emit('failed', { message: err.message })
      })
    }
  }, interval)
  open.push(() => { clearInterval(timer) })
}

function natterHead (): string {
  return `HEAD /natter-keep-alive HTTP/1.1\r\nHost: ${web}\r\nUser-Agent: curl/8.0.0 (Natter)\r\nAccept: ` +
    '*/*\r\nConnection: keep-alive\r\n\r\n'
}

/**
 * Natter's keep-alive: returns when nothing has come for three seconds
 */
async function head (socket: net.Socket): Promise<void> {
  const silent = pEvent(socket, 'timeout')
  socket.setTimeout(NATTER_TIMEOUT)
  socket.on('data', () => {})
  socket.write(natterHead())
  await silent
}

/**
 * Connect from a shared local port
 */
async function connect (port: number, server: Endpoint): Promise<net.Socket> {
  const socket = bindSocket({ host: ANY.host, port }).connect({ ...server, noDelay: true })
  open.push(() => socket.destroy())
  await pEvent(socket, 'connect')

  return socket
}

/**
 * One request on a connection of its own, closed after the answer
 *
 * @returns the mapped address, with the local port
 */
async function ask (port: number, server: Endpoint): Promise<{ mapped?: Endpoint, port: number }> {
  const socket = await connect(port, server)
  socket.write(encodeMessage({ class: 'request', method: 1, transactionId: createTransactionId(), attributes: [] }))
  const mapped = getAttribute(
    decodeMessage(await pEvent<'data', Buffer>(socket, 'data')),
    'XOR-MAPPED-ADDRESS'
  )?.address
  const { localPort = 0 } = socket
  socket.end()

  return { mapped, port: localPort }
}

async function cleanUp (): Promise<void> {
  await listening?.close()
  listening = undefined
  agreed = 0
  open.splice(0).forEach(end => { end() })
}
