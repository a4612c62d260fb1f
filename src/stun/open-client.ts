import { isIP } from 'node:net'
import { formatEndpoint } from '../address/endpoint.ts'
import { STUNClient } from './client.ts'
import { STUNAlternateServerError, STUNConnectionError, STUNErrorResponseError } from './errors.ts'
import { refuseReferral } from './referral.ts'
import { resolveServer } from './resolve.ts'
import type { BindingResult } from './binding-result.ts'
import type { STUNClientInit } from './client-init.ts'
import type { STUNURI } from './uri.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { DNS } from '../runtime/dns.ts'
import type { Random } from '../runtime/random.ts'
import type { AbortOptions } from '@libp2p/interface'

/**
 * More referrals than this in a row count as a loop
 */
const MAX_ALTERNATES = 3

export interface OpenClientInit
  extends AbortOptions, Pick<STUNClientInit, 'timeout' | 'keepAlive' | 'clock' | 'credential'> {
  /**
   * The local address and port to connect from
   */
  local: Endpoint

  /**
   * Certificates to trust and the like, for `stuns:`
   */
  tls?: STUNClientInit['tls']

  /**
   * Called before each endpoint is connected to. `false` skips it, because it has a
   * connection from the local port already, and TCP cannot have a second one.
   */
  claim?(endpoint: Endpoint): boolean

  /**
   * Called when a server has accepted the connection, before it is asked. Aborting the
   * signal here gives it up without a request.
   */
  onConnect?(): void

  dns?: DNS
  random?: Random
}

export interface OpenedClient {
  client: STUNClient
  result: BindingResult

  /**
   * All endpoints of the server's name, tried or not
   */
  endpoints: Endpoint[]
}

/**
 * Resolve a server, connect to it from the local port and ask it once. Its
 * addresses are tried in turn, and an ALTERNATE-SERVER is followed.
 *
 * @throws what `resolveServer`, `STUNClient.connect` and `STUNClient.request` throw
 * @throws {STUNAlternateServerError} servers refer to each other in a loop, or to a private address
 * @throws {STUNConnectionError} every endpoint of the server has a connection from the local port already
 */
export async function openClient (uri: STUNURI, init: OpenClientInit): Promise<OpenedClient> {
  const family = isIP(init.local.host) === 6 ? 6 : 4
  const endpoints = await resolveServer(uri, { ...init, family })
  const tls = uri.scheme === 'stuns' ? { servername: uri.host, ...init.tls } : undefined
  let failure: Error | undefined

  for (const server of endpoints) {
    if (init.claim?.(server) === false) {
      continue
    }

    try {
      return { ...await follow(server, tls, init), endpoints }
    } catch (err: any) {
      init.signal?.throwIfAborted()
      failure ??= err
    }
  }

  const all = endpoints.map(formatEndpoint).join(' and ')
  throw failure ?? new STUNConnectionError(`${uri.uri} is connected already, at ${all}`)
}

async function follow (
  server: Endpoint, tls: STUNClientInit['tls'], init: OpenClientInit
): Promise<Pick<OpenedClient, 'client' | 'result'>> {
  const { local, timeout, keepAlive, clock, credential, signal } = init
  const visited = [server]

  while (true) {
    const client = new STUNClient({ server, local, tls, timeout, keepAlive, clock, credential })

    try {
      await client.connect({ signal })
      init.onConnect?.()

      return { client, result: await client.request({ signal }) }
    } catch (err: any) {
      client.close()

      if (!(err instanceof STUNErrorResponseError) || err.code !== 300 || err.alternateServer == null) {
        throw err
      }

      server = checkAlternate(err.alternateServer, visited)

      if (init.claim?.(server) === false) {
        const way = [...visited, server].map(formatEndpoint).join(' -> ')
        throw new STUNAlternateServerError(`ALTERNATE-SERVER names a server that is connected already: ${way}`)
      }

      tls = tls == null ? undefined : { ...tls, servername: err.alternateDomain ?? tls.servername }
      visited.push(server)
    }
  }
}

function checkAlternate (alternate: Endpoint, visited: Endpoint[]): Endpoint {
  const endpoints = [...visited, alternate].map(formatEndpoint)
  const way = endpoints.join(' -> ')

  if (new Set(endpoints).size < endpoints.length || visited.length > MAX_ALTERNATES) {
    throw new STUNAlternateServerError(`STUN servers refer to each other without end by ALTERNATE-SERVER: ${way}`)
  }

  const refused = refuseReferral(alternate, visited[0])

  if (refused != null) {
    throw new STUNAlternateServerError(`ALTERNATE-SERVER ${refused}: ${way}`)
  }

  return alternate
}
