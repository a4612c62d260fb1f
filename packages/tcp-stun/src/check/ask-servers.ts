import { DEFAULT_KEEP_ALIVE_INTERVAL, otherEndpoints, toExternalAddress } from 'libp2p-tcp-stun/mapping'
import { formatEndpoint } from 'libp2p-tcp-stun/net'
import { STUNClient } from 'libp2p-tcp-stun/stun'
import { STUNTimeoutError } from 'libp2p-tcp-stun/stun'
import { openClient } from 'libp2p-tcp-stun/stun'
import type { ServerFailure, ServerView } from './findings.ts'
import type { Endpoint } from 'libp2p-tcp-stun/net'
import type { BindingResult } from 'libp2p-tcp-stun/stun'
import type { OpenedClient } from 'libp2p-tcp-stun/stun'
import type { STUNURI } from 'libp2p-tcp-stun/stun'

/**
 * How many servers are asked at once, of those that wait for their turn
 */
const CONCURRENCY = 4

/**
 * How long to wait for a connection, and for an answer, in ms
 */
const ANSWER_TIMEOUT = 5_000

/**
 * Once two servers have answered, the silent ones get so many ms more
 */
const PATIENCE = 1_500

/**
 * Of how many servers the OTHER-ADDRESS is asked: one tells all there is, a
 * second one is for where the first lies
 */
const OTHERS = 2

export interface AskedServer extends ServerView {
  uri: STUNURI
  result: BindingResult

  /**
   * The connection, which lives as long as the server lets it
   */
  binding: STUNClient

  /**
   * When the connection was there, in ms on the monotonic clock
   */
  since: number
}

export interface AskServersInit {
  /**
   * The port that all are asked from
   */
  local: Endpoint

  allowPrivate: boolean
  signal: AbortSignal
  onAnswer(server: AskedServer): void
  onFailure(failure: ServerFailure): void
}

/**
 * Ask servers from one local port, all of them or in turn until `enough` at
 * different addresses have answered. Never throws: who does not answer is a
 * failure.
 */
export async function askServers (uris: STUNURI[], enough: number, init: AskServersInit): Promise<void> {
  const endpoints = new Set<string>()
  const asked: AskedServer[] = []
  const waiting = [...uris]
  const done = new AbortController()
  const signal = AbortSignal.any([init.signal, done.signal])
  let patience: NodeJS.Timeout | undefined

  const worker = async (): Promise<void> => {
    for (let uri = waiting.shift(); uri != null && !signal.aborted; uri = waiting.shift()) {
      let mapped: Endpoint | undefined

      try {
        const opened = await openClient(uri, {
          local: init.local,
          timeout: ANSWER_TIMEOUT,
          // as the transport does, so that --hold sees what a mapping would
          keepAlive: DEFAULT_KEEP_ALIVE_INTERVAL,
          signal,
          claim: endpoint => claim(endpoints, endpoint)
        })
        mapped = opened.result.mapped
        asked.push(accept(uri, opened, init))
      } catch (err: any) {
        // without this one there are enough
        if (asked.length >= enough) {
          return
        }

        const error = signal.aborted ? new STUNTimeoutError(`${uri.uri} did not answer in time`) : err
        init.onFailure({ server: uri.uri, error, mapped })
      }

      if (asked.length >= enough) {
        done.abort()
      } else if (asked.length >= 2) {
        patience ??= setTimeout(() => { done.abort() }, PATIENCE)
      }
    }
  }

  await Promise.all(Array.from({ length: enough < uris.length ? CONCURRENCY : uris.length }, worker))
  clearTimeout(patience)
}

/**
 * Ask the other addresses and ports of servers that have answered (RFC 5780,
 * section 4.3, tests II and III). One that does not answer is no failure: many
 * servers name an OTHER-ADDRESS that is there for UDP only.
 */
export async function askOtherAddresses (asked: AskedServer[], init: AskServersInit): Promise<void> {
  const endpoints = new Set(asked.map(({ endpoint }) => formatEndpoint(endpoint)))
  const others = asked.filter(({ result }) => result.otherAddress != null).slice(0, OTHERS).flatMap(server => {
    const { otherAddress } = server.result
    // test II wants the other address with the first port
    const alternate = otherAddress == null ? [] : [{ host: otherAddress.host, port: server.endpoint.port }]

    return otherEndpoints(server.endpoint, alternate, server.result).map(endpoint => ({ server, endpoint }))
  })

  await Promise.all(others.filter(({ endpoint }) => claim(endpoints, endpoint)).map(async ({ server, endpoint }) => {
    const { uri } = server
    const tls = uri.scheme === 'stuns' ? { servername: uri.host } : undefined
    const binding = new STUNClient({ server: endpoint, local: init.local, tls, timeout: PATIENCE, keepAlive: DEFAULT_KEEP_ALIVE_INTERVAL })

    try {
      await binding.connect({ signal: init.signal })

      accept(uri, { binding, result: await binding.request({ signal: init.signal }) }, init)
    } catch {
      binding.close()
    }
  }))
}

/**
 * Another server's name may lead to the same endpoint, and a second connection
 * to it from one port is impossible
 */
function claim (endpoints: Set<string>, endpoint: Endpoint): boolean {
  const name = formatEndpoint(endpoint)
  const isNew = !endpoints.has(name)
  endpoints.add(name)

  return isNew
}

/**
 * @throws {InvalidMappedAddressError} no peer could dial the address
 */
function accept (uri: STUNURI, { binding, result }: Pick<OpenedClient, 'binding' | 'result'>, { allowPrivate, onAnswer }: AskServersInit): AskedServer {
  try {
    const asked = {
      uri,
      server: uri.uri,
      endpoint: binding.server,
      external: toExternalAddress(result.mapped, { allowPrivate, local: result.local }),
      roundTrip: result.roundTrip,
      software: result.software,
      binding,
      result,
      since: performance.now() - result.roundTrip
    }
    onAnswer(asked)

    return asked
  } catch (err) {
    binding.close()
    throw err
  }
}
