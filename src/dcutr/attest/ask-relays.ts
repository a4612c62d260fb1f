import { pbStream } from '@libp2p/utils'
import { isRelayed } from '../../connection/peers.ts'
import { ATTEST_PROTOCOL, AttestRequest, AttestResponse, MAX_MESSAGE_LENGTH } from './protocol.ts'
import type { DCUtRComponents } from '../components.ts'
import type { AbortOptions, Connection, PeerId } from '@libp2p/interface'

/**
 * How long a relay may take, in ms
 */
const TIMEOUT = 1_000

/**
 * Ask the relays that we trust, as far as we are connected with them, whether a peer has
 * an address. They are asked at the same time.
 *
 * @param components
 * @param trusted - the peer ids of the relays
 * @param subject
 * @param subject.peer
 * @param subject.host - the IP address that the peer says is its own
 * @param options
 * @param options.signal
 * @returns whether one of them says so
 */
export async function isAttested (
  components: Pick<DCUtRComponents, 'connectionManager'>,
  trusted: string[],
  { peer, host }: { peer: PeerId, host: string },
  { signal }: Required<AbortOptions>
): Promise<boolean> {
  const relays = components.connectionManager.getConnections()
    .filter(connection => !isRelayed(connection) && trusted.includes(connection.remotePeer.toString()))
  const options = { signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT)]) }

  try {
    return await Promise.any(relays.map(async relay => {
      if (!await ask(relay, { peer: peer.toString(), host }, options)) {
        throw new Error(`${relay.remotePeer} does not say so`)
      }

      return true
    }))
  } catch {
    signal.throwIfAborted()

    return false
  }
}

async function ask (relay: Connection, request: AttestRequest, options: Required<AbortOptions>): Promise<boolean> {
  const stream = await relay.newStream(ATTEST_PROTOCOL, options)

  try {
    const messages = pbStream(stream, { maxDataLength: MAX_MESSAGE_LENGTH })
    await messages.write(request, AttestRequest, options)
    const { isAttested } = await messages.read(AttestResponse, options)
    await stream.close(options)

    return isAttested
  } catch (err: any) {
    stream.abort(err)
    throw err
  }
}
