import { randomBytes } from 'node:crypto'
import { getNetConfig, pbStream } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { tcpSTUN } from 'libp2p-tcp-stun'
import { formatEndpoint } from 'libp2p-tcp-stun/net'
import { loadLibp2p } from './libp2p.ts'
import { DialBack, DialBackResponse, DialResponse, DialStatus, Message } from './pb/autonat-v2.ts'
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Endpoint } from 'libp2p-tcp-stun/net'

/**
 * Whether a peer outside could dial the external address:
 *
 * - `reached`: it did; `stranger` when it has an address that this port has not
 * talked to before, so that it was let in as anybody would be
 * - `not-reached`: it tried, and could not
 * - `failed`: it could not be asked, or refused to try
 * - `not-asked`: no helper was named, or there is no address that it could dial
 */
export type OutsideResult =
  { outcome: 'reached', helper: string, stranger: boolean } |
  { outcome: 'not-reached', helper: string } |
  { outcome: 'failed', error: Error } |
  { outcome: 'not-asked', because: 'no-helper' | 'no-address' }

/**
 * A helper refused, or did not say how its dial went
 */
export class HelperError extends Error {
  static name = 'HelperError'
  name = 'HelperError'
}

const DIAL_REQUEST = '/libp2p/autonat/2/dial-request'
const DIAL_BACK = '/libp2p/autonat/2/dial-back'

/**
 * What a helper may ask for before it dials an address that is not the asker's
 * own, in bytes: it says 30 kB to 100 kB by the specification
 */
const MAX_DIAL_DATA = 200_000
const DIAL_DATA_CHUNK = 4_096

export interface AskOutsideInit {
  /**
   * AutoNAT v2 servers, asked in turn until one of them knows
   */
  helpers: Multiaddr[]

  external: Endpoint

  /**
   * Where to listen: the port must be free to listen on again
   */
  local: Endpoint

  /**
   * The addresses that the port has talked to
   */
  known: Set<string>

  signal: AbortSignal
}

/**
 * Have peers outside dial the external address, by AutoNAT v2
 *
 * @see https://github.com/libp2p/specs/blob/master/autonat/autonat-v2.md
 */
export async function askOutside (init: AskOutsideInit): Promise<OutsideResult> {
  let result: OutsideResult = { outcome: 'not-asked', because: 'no-helper' }

  if (init.helpers.length === 0) {
    return result
  }

  let node: Libp2p | undefined

  try {
    node = await startNode(init.local)

    for (const helper of init.helpers) {
      try {
        result = await askHelper(node, helper, init)
      } catch (err: any) {
        const error = init.signal.aborted ? new HelperError(`${helper} did not say in time whether it could dial`) : err
        result = result.outcome === 'not-asked' ? { outcome: 'failed', error } : result
      }

      if (result.outcome === 'not-reached' || (result.outcome === 'reached' && result.stranger)) {
        break
      }
    }
  } catch (error: any) {
    result = { outcome: 'failed', error }
  } finally {
    await node?.stop()
  }

  return result
}

/**
 * The node listens where the STUN servers were asked from, and dials from
 * another port: whom it dialled from this one, the NAT would let in.
 */
async function startNode (local: Endpoint): Promise<Libp2p> {
  const { createLibp2p, noise, yamux } = await loadLibp2p()

  return createLibp2p({
    addresses: { listen: [toAddress(local)] },
    transports: [tcpSTUN({ stunServers: [], portReuse: false })],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()]
  })
}

/**
 * That the helper comes in with the nonce counts at once, whatever it says of it
 * afterwards
 */
async function askHelper (node: Libp2p, helper: Multiaddr, init: AskOutsideInit): Promise<OutsideResult> {
  const { known, signal } = init
  const nonce = randomBytes(8).readBigUInt64LE()
  const arrived = Promise.withResolvers<Connection>()

  await node.handle(DIAL_BACK, async (stream: Stream, connection: Connection) => {
    const messages = pbStream(stream)
    const message = await messages.read(DialBack, { signal })

    // protons reads a fixed64 as signed
    if (BigInt.asUintN(64, message.nonce) === nonce) {
      await messages.write({ status: DialBackResponse.DialBackStatus.OK }, DialBackResponse, { signal })
      arrived.resolve(connection)
    }
  }, { force: true })

  const connection = await node.dial(helper, { signal })
  const answer = await Promise.race([arrived.promise, requestDial(connection, nonce, helper, init)])

  if ('remoteAddr' in answer) {
    const { host } = getNetConfig(answer.remoteAddr)

    return { outcome: 'reached', helper: helper.toString(), stranger: host != null && !known.has(host) }
  }

  if (answer.status === DialResponse.ResponseStatus.OK && answer.dialStatus === DialStatus.E_DIAL_ERROR) {
    return { outcome: 'not-reached', helper: helper.toString() }
  }

  throw new HelperError(`${helper} does not say whether it could dial: ${answer.status ?? 'no status'} ${answer.dialStatus ?? ''}`.trim())
}

/**
 * @throws {HelperError} the helper refuses, or does not speak AutoNAT v2
 */
async function requestDial (connection: Connection, nonce: bigint, helper: Multiaddr, { external, signal }: AskOutsideInit): Promise<DialResponse> {
  const stream = await connection.newStream(DIAL_REQUEST, { signal })
  const messages = pbStream(stream).pb(Message)
  await messages.write({ dialRequest: { addrs: [multiaddr(toAddress(external)).bytes], nonce } }, { signal })
  let answer = await messages.read({ signal })

  if (answer.dialDataRequest != null) {
    const { numBytes } = answer.dialDataRequest

    if (numBytes > MAX_DIAL_DATA) {
      throw new HelperError(`${helper} asks for ${numBytes} bytes before it dials`)
    }

    for (let sent = 0; sent < numBytes; sent += DIAL_DATA_CHUNK) {
      await messages.write({ dialDataResponse: { data: new Uint8Array(DIAL_DATA_CHUNK) } }, { signal })
    }

    answer = await messages.read({ signal })
  }

  if (answer.dialResponse == null) {
    throw new HelperError(`${helper} does not say whether it could dial ${formatEndpoint(external)}`)
  }

  return answer.dialResponse
}

function toAddress ({ host, port }: Endpoint): string {
  return `/${host.includes(':') ? 'ip6' : 'ip4'}/${host}/tcp/${port}`
}
