import { randomBytes } from 'node:crypto'
import { pbStream } from '@libp2p/utils'
import { toMultiaddr } from 'libp2p-tcp-stun/multiaddr'
import { formatEndpoint } from 'libp2p-tcp-stun/net'
import { DialBack, DialBackResponse, DialResponse, DialStatus, Message } from './pb/autonat-v2.ts'
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Endpoint } from 'libp2p-tcp-stun/net'

/**
 * The peer refused to dial back, or did not report how its dial went
 */
export class DialBackError extends Error {
  static name = 'DialBackError'
  name = 'DialBackError'
}

const DIAL_REQUEST = '/libp2p/autonat/2/dial-request'
const DIAL_BACK = '/libp2p/autonat/2/dial-back'

/**
 * A server may ask for this many bytes before it dials an address that differs
 * from the client's own. The specification says 30 kB to 100 kB.
 */
const MAX_DIAL_DATA = 200_000
const DIAL_DATA_CHUNK = 4_096

/**
 * Ask a peer to dial `address` by AutoNAT v2
 *
 * @see https://github.com/libp2p/specs/blob/master/autonat/autonat-v2.md
 *
 * @returns the connection that the peer came in by, or `undefined` when it
 * reports that its dial failed
 * @throws {DialBackError} the peer refuses, or does not speak AutoNAT v2
 */
export async function requestDialBack (
  node: Libp2p,
  peer: Multiaddr,
  address: Endpoint,
  signal: AbortSignal
): Promise<Connection | undefined> {
  const nonce = randomBytes(8).readBigUInt64LE()
  const arrived = Promise.withResolvers<Connection>()

  await node.handle(DIAL_BACK, async (stream: Stream, connection: Connection) => {
    const messages = pbStream(stream)
    const message = await messages.read(DialBack, { signal })

    // protons reads a fixed64 as a signed number
    if (BigInt.asUintN(64, message.nonce) === nonce) {
      await messages.write({ status: DialBackResponse.DialBackStatus.OK }, DialBackResponse, { signal })
      arrived.resolve(connection)
    }
  }, { force: true })

  const connection = await node.dial(peer, { signal })
  // the nonce proves the dial, whatever the peer reports afterwards
  const answer = await Promise.race([arrived.promise, sendRequest(connection, peer, address, nonce, signal)])

  if ('remoteAddr' in answer) {
    return answer
  }

  if (answer.status === DialResponse.ResponseStatus.OK && answer.dialStatus === DialStatus.E_DIAL_ERROR) {
    return undefined
  }

  throw new DialBackError(
    `${peer} did not report whether it could dial: ${answer.status ?? 'no status'} ${answer.dialStatus ?? ''}`.trim()
  )
}

async function sendRequest (
  connection: Connection,
  peer: Multiaddr,
  address: Endpoint,
  nonce: bigint,
  signal: AbortSignal
): Promise<DialResponse> {
  const stream = await connection.newStream(DIAL_REQUEST, { signal })
  const messages = pbStream(stream).pb(Message)
  await messages.write({ dialRequest: { addrs: [toMultiaddr(address).bytes], nonce } }, { signal })
  let answer = await messages.read({ signal })

  if (answer.dialDataRequest != null) {
    const { numBytes } = answer.dialDataRequest

    if (numBytes > MAX_DIAL_DATA) {
      throw new DialBackError(`${peer} asked for ${numBytes} bytes before it dials`)
    }

    for (let sent = 0; sent < numBytes; sent += DIAL_DATA_CHUNK) {
      await messages.write({ dialDataResponse: { data: new Uint8Array(DIAL_DATA_CHUNK) } }, { signal })
    }

    answer = await messages.read({ signal })
  }

  if (answer.dialResponse == null) {
    throw new DialBackError(`${peer} did not report whether it could dial ${formatEndpoint(address)}`)
  }

  return answer.dialResponse
}
