import { tcpSTUN } from 'libp2p-tcp-stun'
import { isGlobal, isUnspecified, toMultiaddr } from 'libp2p-tcp-stun/net'
import { createSTUNServer } from 'libp2p-tcp-stun/server'
import { localAddresses } from '../check/local-addresses.ts'
import { loadHelperPackages } from './packages.ts'
import type { Libp2p, PrivateKey } from '@libp2p/interface'
import type { Endpoint } from 'libp2p-tcp-stun/net'
import type { STUNServer } from 'libp2p-tcp-stun/server'

export interface HelperInit {
  /**
   * Where the node of libp2p listens
   */
  listen: Endpoint[]

  /**
   * Where the STUN server listens
   */
  stunListen: Endpoint[]

  /**
   * More addresses to tell peers, multiaddrs
   */
  announce: string[]

  /**
   * Who the node is, a new peer each time without it
   */
  privateKey?: PrivateKey

  /**
   * How many peers may be reached through the relay at once
   */
  maxReservations: number
}

export interface Helper {
  node: Libp2p
  stunServer: STUNServer
  close(): Promise<void>
}

/**
 * A dial that is not answered within so many ms has failed. The asker waits for
 * it, and a SYN has been sent twice by then.
 */
const DIAL_TIMEOUT = 3_000

/**
 * All that peers of a private network need of a machine outside: a STUN server,
 * which tells them their address, an AutoNAT v2 server, which tries it, and a
 * circuit relay, over which they meet for a punch or stay
 *
 * @throws {MissingPackagesError} libp2p is not installed
 * @throws the system's error, say with code EADDRINUSE
 */
export async function startHelper ({ listen, stunListen, announce, privateKey, maxReservations }: HelperInit): Promise<Helper> {
  const { createLibp2p, noise, yamux, identify, autoNATv2, circuitRelayServer } = await loadHelperPackages()
  const stunServer = createSTUNServer({ listen: stunListen })
  await stunServer.listen()

  try {
    const node = await createLibp2p({
      privateKey,
      addresses: {
        listen: listen.map(endpoint => toMultiaddr(endpoint).toString()),
        // a public address is not told to peers before it is confirmed, and who
        // should confirm the helper's?
        appendAnnounce: [...listen.flatMap(publicAddresses), ...announce]
      },
      // whom the listening port has talked to a NAT lets in: the dials of AutoNAT
      // come from another one
      transports: [tcpSTUN({ stunServers: [], portReuse: false })],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      // AutoNAT has a timeout of its own for all that it does, this one is for one
      // address
      connectionManager: { addressDialTimeout: DIAL_TIMEOUT },
      services: {
        identify: identify(),
        autoNAT: autoNATv2(),
        relay: circuitRelayServer({ reservations: { maxReservations } })
      }
    })

    return {
      node,
      stunServer,
      close: async () => {
        await Promise.all([node.stop(), stunServer.close()])
      }
    }
  } catch (err) {
    await stunServer.close()
    throw err
  }
}

/**
 * The public addresses of this machine that an endpoint stands for
 */
function publicAddresses ({ host, port }: Endpoint): string[] {
  const version = host.includes(':') ? 6 : 4
  const hosts = isUnspecified(host) ? localAddresses(version).map(({ host }) => host) : [host]

  return hosts.filter(host => isGlobal(host)).map(host => toMultiaddr({ host, port }).toString())
}
