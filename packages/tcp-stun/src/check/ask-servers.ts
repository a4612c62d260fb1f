import { formatEndpoint } from 'libp2p-tcp-stun/net'
import {
  DEFAULT_KEEP_ALIVE_INTERVAL, STUNClient, STUNTimeoutError, openClient, otherEndpoints, toExternalAddress
} from 'libp2p-tcp-stun/stun'
import type { FailedQuery, ServerView } from './findings.ts'
import type { Endpoint } from 'libp2p-tcp-stun/net'
import type { BindingResult, STUNURI } from 'libp2p-tcp-stun/stun'

/**
 * This many servers are asked at once when not all have to be asked
 */
const CONCURRENCY = 4

/**
 * How long to wait for a connection, and for an answer, in ms
 */
const ANSWER_TIMEOUT = 5_000

/**
 * How long to wait for silent servers once two have answered, in ms. The user wants to
 * know of each server that he has named; of others two that agree are enough.
 */
const PATIENCE = 1_500
const SHORT_PATIENCE = 200

/**
 * Ask for OTHER-ADDRESS on this many servers. One is enough to tell the mapping
 * behaviour, the second one is there in case the first one lies.
 */
const MAX_OTHER_ADDRESSES = 2

export interface AskedServer extends ServerView {
  uri: STUNURI
  result: BindingResult

  /**
   * The connection, which stays open as long as the server allows
   */
  client: STUNClient

  /**
   * When the connection was made, on the monotonic clock, in ms
   */
  since: number
}

export interface AskServersInit {
  /**
   * The port that every server is asked from
   */
  local: Endpoint

  allowPrivate: boolean
  signal: AbortSignal
  onAnswer(server: AskedServer): void
  onFailure(failure: FailedQuery): void
}

/**
 * Ask servers from one local port: all of them, or in turn until `enough` of them
 * have answered at different addresses. Never throws: a server that does not
 * answer is a failure.
 */
export async function askServers (uris: STUNURI[], enough: number, init: AskServersInit): Promise<void> {
  const endpoints = new Set<string>()
  const asked: AskedServer[] = []
  const waiting = [...uris]
  const takesAll = enough >= uris.length
  const done = new AbortController()
  const signal = AbortSignal.any([init.signal, done.signal])
  let patience: NodeJS.Timeout | undefined

  const worker = async (): Promise<void> => {
    for (let uri = waiting.shift(); uri != null && !signal.aborted; uri = waiting.shift()) {
      let mapped: Endpoint | undefined

      try {
        const { client, result } = await openClient(uri, {
          local: init.local,
          timeout: ANSWER_TIMEOUT,
          // as the transport does, so that --hold sees what a mapping would
          keepAlive: DEFAULT_KEEP_ALIVE_INTERVAL,
          signal,
          claim: endpoint => claim(endpoints, endpoint)
        })
        mapped = result.mapped
        asked.push(accept(uri, client, result, init))
      } catch (err: any) {
        if (asked.length >= enough || (done.signal.aborted && !takesAll)) {
          return
        }

        const error = signal.aborted ? new STUNTimeoutError(`${uri.uri} did not answer in time`) : err
        init.onFailure({ server: uri.uri, error, mapped })
      }

      if (asked.length >= enough) {
        done.abort()
      } else if (asked.length >= 2) {
        const ms = takesAll || !isUnanimous(asked) ? PATIENCE : SHORT_PATIENCE
        patience ??= setTimeout(() => { done.abort() }, ms)
      }
    }
  }

  await Promise.all(Array.from({ length: takesAll ? uris.length : CONCURRENCY }, worker))
  clearTimeout(patience)
}

function isUnanimous (asked: AskedServer[]): boolean {
  return new Set(asked.map(({ external }) => formatEndpoint(external))).size === 1
}

/**
 * Ask other addresses and ports of servers that have answered (RFC 5780, section
 * 4.3, tests II and III). Silence is no failure: many servers announce an
 * OTHER-ADDRESS that serves UDP only.
 */
export async function askOtherAddresses (asked: AskedServer[], init: AskServersInit): Promise<void> {
  const endpoints = new Set(asked.map(({ endpoint }) => formatEndpoint(endpoint)))
  const withOthers = asked.filter(({ result }) => result.otherAddress != null).slice(0, MAX_OTHER_ADDRESSES)
  const others = withOthers.flatMap(server => {
    const { otherAddress } = server.result
    // test II asks the other address at the first port
    const alternate = otherAddress == null ? [] : [{ host: otherAddress.host, port: server.endpoint.port }]

    return otherEndpoints(server.endpoint, alternate, server.result).map(endpoint => ({ server, endpoint }))
  })

  await Promise.all(
    others
      .filter(({ endpoint }) => claim(endpoints, endpoint))
      .map(async ({ server: { uri }, endpoint }) => {
        const client = new STUNClient({
          server: endpoint,
          local: init.local,
          tls: uri.scheme === 'stuns' ? { servername: uri.host } : undefined,
          timeout: PATIENCE,
          keepAlive: DEFAULT_KEEP_ALIVE_INTERVAL
        })

        try {
          await client.connect({ signal: init.signal })

          accept(uri, client, await client.request({ signal: init.signal }), init)
        } catch {
          client.close()
        }
      })
  )
}

/**
 * Two names may lead to one endpoint, and a port can have only one connection to
 * an endpoint
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
function accept (
  uri: STUNURI,
  client: STUNClient,
  result: BindingResult,
  { allowPrivate, onAnswer }: AskServersInit
): AskedServer {
  try {
    const asked = {
      uri,
      server: uri.uri,
      endpoint: client.server,
      external: toExternalAddress(result.mapped, { allowPrivate, local: result.local }),
      roundTrip: result.roundTrip,
      software: result.software,
      client,
      result,
      since: performance.now() - result.roundTrip
    }
    onAnswer(asked)

    return asked
  } catch (err) {
    client.close()
    throw err
  }
}
