/**
 * A node that has nothing but the address of a helper: `helperConfig`, and no code of its
 * own. It reports whom it finds and is connected to.
 */
import { peerIdFromString } from '@libp2p/peer-id'
import { createLibp2p } from 'libp2p'
import { helperConfig, mergeConfig } from '../../../packages/tcp-stun/src/config/index.ts'
import { emit, handleCommands, readOptions } from '../../child/commands.ts'
import { echo, serveEcho } from './echo.ts'
import type { Connection } from '@libp2p/interface'

export interface MemberOptions {
  /**
   * The address of the helper, or several
   */
  helper: string | string[]

  /**
   * Where to listen
   */
  listen?: string[]
  namespace?: string
  webSockets?: boolean

  /**
   * Without AutoNAT a node announces its public address at once
   */
  autoNAT?: boolean
}

const {
  helper, listen, webSockets, namespace = 'five-homes', autoNAT = true
} = readOptions<MemberOptions>()
const node = await createLibp2p(mergeConfig(
  await helperConfig(helper, { namespace, listen, webSockets }),
  // only once the handlers below are added
  { start: false, ...!autoNAT && { services: { autoNAT: () => ({}) } } }
))
const { board, dcutr } = node.services as any

board.addEventListener('registered', ({ detail }: any) => { emit('registered', { server: detail.server.toString() }) })
board.addEventListener('server:failed', ({ detail }: any) => { emit('refused', { message: detail.error.message }) })
board.addEventListener('peer', ({ detail }: any) => {
  emit('found', { peer: detail.id.toString(), addresses: detail.multiaddrs.map(String) })
})

for (const name of ['success', 'failure']) {
  dcutr.addEventListener(`hole-punch:${name}`, ({ detail }: any) => {
    emit(`hole-punch:${name}`, { peer: detail.peer.toString(), method: detail.method, message: detail.error?.message })
  })
}

node.addEventListener('connection:open', ({ detail }) => { report('connected', detail) })
node.addEventListener('connection:close', ({ detail }) => { report('disconnected', detail) })
node.addEventListener('self:peer:update', () => { emit('addresses', { addresses: addresses() }) })

function report (event: string, { remotePeer, remoteAddr, limits, direction, id }: Connection): void {
  emit(event, {
    id,
    direction,
    peer: remotePeer.toString(),
    remote: remoteAddr.toString(),
    relayed: limits != null
  })
}

function addresses (): string[] {
  return node.getMultiaddrs().map(String)
}

await serveEcho(node)
await node.start()
emit('started', { id: node.peerId.toString(), addresses: addresses() })

handleCommands({
  echo: async ({ peer, bytes }) => {
    const connections = node.getConnections(peerIdFromString(peer))
    const connection = connections.find(({ limits }) => limits == null) ?? connections[0]
    emit('echoed', await echo(connection, bytes, AbortSignal.timeout(30_000)))
  },
  reserved: () => {
    emit('reserved', { isReserved: addresses().some(address => address.includes('/p2p-circuit')) })
  },
  connections: () => {
    emit('connections', {
      connections: node.getConnections().map(({ remotePeer, remoteAddr, limits }) => ({
        peer: remotePeer.toString(), remote: remoteAddr.toString(), relayed: limits != null
      }))
    })
  }
}, async () => node.stop())
