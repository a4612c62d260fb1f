import { isIP } from 'node:net'
import { formatEndpoint } from '../address/endpoint.ts'
import { STUNClient } from './client.ts'
import { STUNAlternateServerError, STUNConnectionError, STUNErrorResponseError } from './errors.ts'
import { refuseReferral } from './referral.ts'
import { resolveServer } from './resolve.ts'
import type { BindingResult } from './binding-result.ts'
import type { STUNClientInit } from './client.ts'
import type { STUNURI } from './uri.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { DNS } from '../runtime/dns.ts'
import type { Random } from '../runtime/random.ts'
import type { AbortOptions } from '@libp2p/interface'

/**
 * From one server to another, and no further: more hops than this are a loop
 */
const MAX_ALTERNATES = 3

export interface OpenClientInit extends AbortOptions, Pick<STUNClientInit, 'timeout' | 'keepAlive' | 'clock'> {
  /**
   * The local address and port to connect from
   */
  local: Endpoint

  /**
   * Certificates to trust and the like, for `stuns:`
   */
  tls?: STUNClientInit['tls']

  /**
   * Called before each endpoint is connected to. False leaves it: it has a
   * connection from the local port, and a second one is impossible.
   */
  claim?(endpoint: Endpoint): boolean

  dns?: DNS
  random?: Random
}

export interface OpenedClient {
  binding: STUNClient
  result: BindingResult

  /**
   * All endpoints that the server's name has, also those that were not tried
   */
  endpoints: Endpoint[]
}

/**
 * Resolve a server, connect to it from the local port and ask it once. Its
 * addresses are tried in turn, and an ALTERNATE-SERVER is followed.
 *
 * @throws what `resolveServer`, `Binding.connect` and `Binding.request` throw
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

  throw failure ?? new STUNConnectionError(`${uri.uri} is a server that is asked already, at ${endpoints.map(formatEndpoint).join(' and ')}`)
}

async function follow (server: Endpoint, tls: STUNClientInit['tls'], init: OpenClientInit): Promise<Pick<OpenedClient, 'binding' | 'result'>> {
  const { local, timeout, keepAlive, clock, signal } = init
  const visited = [server]

  while (true) {
    const binding = new STUNClient({ server, local, tls, timeout, keepAlive, clock })

    try {
      await binding.connect({ signal })

      return { binding, result: await binding.request({ signal }) }
    } catch (err: any) {
      binding.close()

      if (!(err instanceof STUNErrorResponseError) || err.code !== 300 || err.alternateServer == null) {
        throw err
      }

      server = checkAlternate(err.alternateServer, visited)

      if (init.claim?.(server) === false) {
        throw new STUNAlternateServerError(`ALTERNATE-SERVER is a server that is asked already: ${[...visited, server].map(formatEndpoint).join(' -> ')}`)
      }

      tls = tls == null ? undefined : { ...tls, servername: err.alternateDomain ?? tls.servername }
      visited.push(server)
    }
  }
}

function checkAlternate (alternate: Endpoint, visited: Endpoint[]): Endpoint {
  const way = [...visited, alternate].map(formatEndpoint)

  if (new Set(way).size < way.length || visited.length > MAX_ALTERNATES) {
    throw new STUNAlternateServerError(`STUN servers refer to each other by ALTERNATE-SERVER without end: ${way.join(' -> ')}`)
  }

  const refused = refuseReferral(alternate, visited[0])

  if (refused != null) {
    throw new STUNAlternateServerError(`ALTERNATE-SERVER ${refused}: ${way.join(' -> ')}`)
  }

  return alternate
}
