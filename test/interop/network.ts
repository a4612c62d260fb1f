import { laboratory } from '../fixtures/laboratory.ts'
import { skipWithout } from '../fixtures/missing-tool.ts'
import { missingPeers, startPeer } from './peers.ts'
import type { Language, PeerOptions } from './peers.ts'
import type { Host, Lab, NATOptions, Program, Router } from '../nat-lab/index.ts'

/**
 * The STUN servers of every scenario
 */
export const STUN_SERVERS = ['stun:11.0.0.1', 'stun:11.0.0.2']

/**
 * A laboratory with STUN servers
 */
export interface Internet {
  lab: Lab
  stun: Host[]
}

/**
 * A home: a host behind a NAT
 */
export interface Home {
  router: Router
  laptop: Host
}

/**
 * A laboratory with STUN servers for every test of a suite, skipped where the peers
 * of these languages are not built
 *
 * @param languages - by default all
 */
export function network (languages?: Array<'go' | 'rust'>): { create(): Promise<Internet> } {
  const { create } = laboratory('each')

  before(function () {
    const missing = missingPeers(languages)

    if (missing != null) {
      skipWithout(this, 'interoperability with go-libp2p and rust-libp2p', missing)
    }
  })

  return {
    create: async () => {
      const lab = await create()
      const stun = await Promise.all(['11.0.0.1', '11.0.0.2'].map(async (address, i) => {
        const host = await lab.host(`stun${i + 1}`, { address })
        await host.run('stun-server', { host: address }).waitFor('listening')

        return host
      }))

      return { lab, stun }
    }
  }
}

/**
 * A router with a host behind it
 */
export async function buildHome (
  lab: Lab,
  name: string,
  address: string,
  nat: NATOptions & { latency?: number }
): Promise<Home> {
  const router = await lab.router(`${name}-nat`, { address, ...nat })

  return { router, laptop: await lab.host(name, { address: '192.168.1.2', network: router }) }
}

/**
 * A peer with a public address
 */
export interface PublicPeer {
  program: Program
  id: string
  host: Host

  /**
   * The multiaddr with the peer id
   */
  address: string
}

export async function startPublicPeer (
  lab: Lab,
  name: string,
  address: string,
  language: Language,
  options: PeerOptions = {}
): Promise<PublicPeer> {
  const host = await lab.host(name, { address })
  const program = startPeer(host, language, options)
  const { id } = await program.waitFor('started')

  return { program, id, host, address: `/ip4/${address}/tcp/4001/p2p/${id}` }
}
