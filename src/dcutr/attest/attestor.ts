import { pbStream } from '@libp2p/utils'
import { unmapIPv4 } from '../../address/ip.ts'
import { isRelayed } from '../../connection/peers.ts'
import { toIPEndpoint } from '../../multiaddr/net-config.ts'
import { ATTEST_PROTOCOL, AttestRequest, AttestResponse, MAX_MESSAGE_LENGTH } from './protocol.ts'
import type { DCUtRComponents } from '../components.ts'
import type { Startable, Stream } from '@libp2p/interface'

/**
 * How long a peer may take to ask, in ms
 */
const TIMEOUT = 5_000

/**
 * A peer asks before a hard punch, of which it has one at a time
 */
const MAX_STREAMS = 4

export interface AttestorInit {
  /**
   * Whether an address is that of a load balancer: many peers have it
   *
   * @default none is
   */
  isProxy?(host: string): boolean
}

export type AttestorComponents = Pick<DCUtRComponents, 'connectionManager' | 'registrar'>

/**
 * Answers whether a peer is connected from an address, with yes or no. The address of a
 * TCP connection is proven by its handshake: the peer receives what is sent there.
 */
export class Attestor implements Startable {
  private readonly components: AttestorComponents
  private readonly init: AttestorInit

  constructor (components: AttestorComponents, init: AttestorInit) {
    this.components = components
    this.init = init
  }

  readonly [Symbol.toStringTag] = 'libp2p-tcp-stun/attestor'

  async start (): Promise<void> {
    await this.components.registrar.handle(ATTEST_PROTOCOL, this.onStream, { maxInboundStreams: MAX_STREAMS })
  }

  async stop (): Promise<void> {
    await this.components.registrar.unhandle(ATTEST_PROTOCOL)
  }

  private readonly onStream = async (stream: Stream): Promise<void> => {
    const options = { signal: AbortSignal.timeout(TIMEOUT) }

    try {
      const messages = pbStream(stream, { maxDataLength: MAX_MESSAGE_LENGTH })
      const request = await messages.read(AttestRequest, options)
      await messages.write({ isAttested: this.isConnectedFrom(request) }, AttestResponse, options)
      await stream.close(options)
    } catch (err: any) {
      stream.abort(err)
    }
  }

  private isConnectedFrom ({ peer, host }: AttestRequest): boolean {
    return this.init.isProxy?.(host) !== true && this.components.connectionManager.getConnections()
      .filter(connection => connection.remotePeer.toString() === peer && !isRelayed(connection))
      .some(({ remoteAddr }) => unmapIPv4(toIPEndpoint(remoteAddr)?.host ?? '') === host)
  }
}
