import { isIP } from 'node:net'
import { CODE_P2P_CIRCUIT } from '@multiformats/multiaddr'
import { isGlobal } from 'libp2p-tcp-stun/net'
import type { AbortOptions } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * What a running node says of itself (identify)
 */
export interface NodeReport {
  /**
   * The address at which it was asked
   */
  address: string

  id: string

  /**
   * The name of its software
   */
  agent?: string

  /**
   * The public addresses that it announces. A node of ours announces one once it
   * knows that strangers can dial it.
   */
  announced: string[]

  /**
   * Its addresses at relays
   */
  relayed: string[]

  /**
   * Whether it takes part in hole punching (DCUtR)
   */
  holePunching: boolean
}

const DCUTR = '/libp2p/dcutr'

/**
 * Ask a running node which addresses it announces
 *
 * @throws the error of libp2p when it is no node, or does not answer
 */
export async function askNode (address: Multiaddr, options?: AbortOptions): Promise<NodeReport> {
  // only this question takes a node
  const [{ createLibp2p }, { noise }, { yamux }, { identify }, { tcpSTUN }] = await Promise.all([
    import('libp2p'),
    import('@libp2p/noise'),
    import('@libp2p/yamux'),
    import('@libp2p/identify'),
    import('libp2p-tcp-stun')
  ])
  const node = await createLibp2p({
    addresses: { listen: [] },
    transports: [tcpSTUN({ stunServers: [], portReuse: false })],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify({ runOnConnectionOpen: false }) }
  })

  try {
    const connection = await node.dial(address, options)
    const { agentVersion, listenAddrs, protocols } = await node.services.identify.identify(connection, options)
    const relayed = listenAddrs.filter(isRelayed)

    return {
      address: address.toString(),
      id: connection.remotePeer.toString(),
      agent: agentVersion,
      announced: listenAddrs.filter(isPublic).map(String),
      relayed: relayed.map(String),
      holePunching: protocols.includes(DCUTR)
    }
  } finally {
    await node.stop()
  }
}

function isRelayed (address: Multiaddr): boolean {
  return address.getComponents().some(({ code }) => code === CODE_P2P_CIRCUIT)
}

function isPublic (address: Multiaddr): boolean {
  const [{ name, value = '' }] = address.getComponents()

  return !isRelayed(address) && (isIP(value) === 0 ? /^dns/.test(name) : isGlobal(value))
}
