import { anySignal } from 'any-signal'
import { formatEndpoint } from '../address/endpoint.ts'
import { isLoopback } from '../address/scope.ts'
import { toMultiaddr } from '../multiaddr/net-config.ts'
import { bindSocket } from '../net/bound-socket.ts'
import { shuffle } from '../runtime/random.ts'
import { DEFAULT_STUN_SERVERS } from '../stun/default-servers.ts'
import { toExternalAddress } from '../stun/external-address.ts'
import { parseSTUNURI } from '../stun/uri.ts'
import type { TCPSTUNInit } from '../index.ts'
import type { ListeningPort } from '../listen/listening-ports.ts'
import type { AbortOptions, Logger, Transport } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * How long the search for the public address of a spare port may take, in ms
 */
const TIMEOUT = 1_000

/**
 * A local port that has no connections, for one hole punch.
 *
 * A router keeps the state of an unanswered SYN, for two minutes on Linux. Packets of later
 * attempts between the same two ports have to fit that state. One that does not is dropped,
 * or forwarded with its private source address. A port that was not in use has no such
 * state.
 */
export interface SparePort {
  local: ListeningPort

  /**
   * The public address of the port
   */
  external: Multiaddr

  /**
   * Release the port. Connections from it stay open.
   */
  close(): void
}

/**
 * Has spare ports to offer
 */
export interface SparePorts {
  /**
   * One port for each listening port, if a STUN server reports its public address in time
   */
  openSparePorts(options: Required<AbortOptions>): Promise<SparePort[]>
}

/**
 * Whether a transport has spare ports to offer
 */
export function hasSparePorts (transport: Transport): transport is Transport & SparePorts {
  return 'openSparePorts' in transport
}

export async function openSparePorts (
  listening: ListeningPort[],
  init: Pick<TCPSTUNInit, 'stunServers' | 'tls' | 'allowPrivateMapping'>,
  { log, ...options }: Required<AbortOptions> & { log: Logger }
): Promise<SparePort[]> {
  const signal = anySignal([options.signal, AbortSignal.timeout(TIMEOUT)])

  try {
    const opened = await Promise.all(listening.filter(({ host }) => !isLoopback(host)).map(async port =>
      open(port, init, signal).catch(err => {
        log.trace('no spare port beside %s - %e', formatEndpoint(port), err)
      })
    ))

    return opened.filter(port => port != null)
  } finally {
    signal.clear()
  }
}

async function open (
  { host, family }: ListeningPort,
  { stunServers = DEFAULT_STUN_SERVERS, tls, allowPrivateMapping = false }: Parameters<typeof openSparePorts>[1],
  signal: AbortSignal
): Promise<SparePort> {
  // the STUN client is loaded when it is needed
  const { openClient } = await import('../stun/open-client.ts')
  const bound = bindSocket({ host, port: 0, ipv6Only: family === 6 })
  const local: ListeningPort = { host, port: bound.port, family }
  let failure: Error | undefined

  for (const server of shuffle(stunServers, Math.random)) {
    try {
      const { client, result } = await openClient(parseSTUNURI(server), { local, tls, signal })
      const external = toExternalAddress(result.mapped, { allowPrivate: allowPrivateMapping, local: result.local })

      return {
        local,
        external: toMultiaddr(external),
        close: () => {
          client.close()
          bound.close()
        }
      }
    } catch (err: any) {
      failure = err

      if (signal.aborted) {
        break
      }
    }
  }

  bound.close()
  throw failure ?? new Error('There are no STUN servers')
}
