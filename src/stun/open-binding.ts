import { isIP } from 'node:net'
import { isPrivateIp } from '@libp2p/utils'
import { Binding } from './binding.ts'
import { formatEndpoint } from './endpoint.ts'
import { STUNAlternateServerError, STUNErrorResponseError } from './errors.ts'
import { resolveServer } from './resolve.ts'
import type { BindingResult } from './binding-result.ts'
import type { BindingInit } from './binding.ts'
import type { Endpoint } from './endpoint.ts'
import type { STUNURI } from './uri.ts'
import type { DNS } from '../runtime/dns.ts'
import type { Random } from '../runtime/random.ts'
import type { AbortOptions } from '@libp2p/interface'

/**
 * From one server to another, and no further: more hops than this are a loop
 */
const MAX_ALTERNATES = 3

export interface OpenBindingInit extends AbortOptions, Pick<BindingInit, 'timeout' | 'clock'> {
  /**
   * The local address and port to connect from
   */
  local: Endpoint

  /**
   * Certificates to trust and the like, for `stuns:`
   */
  tls?: BindingInit['tls']

  /**
   * Endpoints that have a connection from the local port: a second one to the
   * same endpoint is impossible
   */
  taken?(endpoint: Endpoint): boolean

  dns?: DNS
  random?: Random
}

/**
 * Resolve a server, connect to it from the local port and ask it once. Its
 * addresses are tried in turn, and an ALTERNATE-SERVER is followed.
 *
 * @throws what `resolveServer`, `Binding.connect` and `Binding.request` throw
 * @throws {STUNAlternateServerError} servers refer to each other in a loop, or to a private address
 */
export async function openBinding (uri: STUNURI, init: OpenBindingInit): Promise<{ binding: Binding, result: BindingResult }> {
  const family = isIP(init.local.host) === 6 ? 6 : 4
  const endpoints = await resolveServer(uri, { ...init, family })
  const free = endpoints.filter(endpoint => init.taken?.(endpoint) !== true)
  let failure: Error | undefined

  for (const server of free.length === 0 ? endpoints.slice(0, 1) : free) {
    try {
      return await follow(server, uri.scheme === 'stuns' ? { servername: uri.host, ...init.tls } : undefined, init)
    } catch (err: any) {
      init.signal?.throwIfAborted()
      failure ??= err
    }
  }

  throw failure ?? new Error('unreachable: resolveServer gives at least one endpoint')
}

async function follow (server: Endpoint, tls: BindingInit['tls'], init: OpenBindingInit): Promise<{ binding: Binding, result: BindingResult }> {
  const { local, timeout, clock, signal } = init
  const visited = [server]

  while (true) {
    const binding = new Binding({ server, local, tls, timeout, clock })

    try {
      await binding.connect({ signal })

      return { binding, result: await binding.request({ signal }) }
    } catch (err: any) {
      binding.close()

      if (!(err instanceof STUNErrorResponseError) || err.code !== 300 || err.alternateServer == null) {
        throw err
      }

      server = checkAlternate(err.alternateServer, visited)

      if (init.taken?.(server) === true) {
        throw new STUNAlternateServerError(`ALTERNATE-SERVER is a server that is asked already: ${[...visited, server].map(formatEndpoint).join(' -> ')}`)
      }

      tls = tls == null ? undefined : { ...tls, servername: err.alternateDomain ?? tls.servername }
      visited.push(server)
    }
  }
}

/**
 * A server on the internet must not send us to a host of our own network
 */
function checkAlternate (alternate: Endpoint, visited: Endpoint[]): Endpoint {
  const way = [...visited, alternate].map(formatEndpoint)

  if (new Set(way).size < way.length || visited.length > MAX_ALTERNATES) {
    throw new STUNAlternateServerError(`STUN servers refer to each other by ALTERNATE-SERVER without end: ${way.join(' -> ')}`)
  }

  if (isIP(alternate.host) !== isIP(visited[0].host)) {
    throw new STUNAlternateServerError(`ALTERNATE-SERVER is of another address family: ${way.join(' -> ')}`)
  }

  if (alternate.port === 0) {
    throw new STUNAlternateServerError(`ALTERNATE-SERVER has no port: ${way.join(' -> ')}`)
  }

  if (isPrivateIp(alternate.host) === true && isPrivateIp(visited[0].host) !== true) {
    throw new STUNAlternateServerError(`ALTERNATE-SERVER is a private address: ${way.join(' -> ')}`)
  }

  return alternate
}
