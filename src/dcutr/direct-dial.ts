import { ConnectionFailedError } from '@libp2p/interface'
import { anySignal } from 'any-signal'
import { setMaxListeners } from 'main-event'
import { cannotMeet } from './endpoint-dependent.ts'
import type { DCUtRComponents, DirectDialer } from './components.ts'
import type { TCPDialOptions } from '../index.ts'
import type { ListeningPort } from '../listen/listening-ports.ts'
import type { AbortOptions, Connection, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * What reaches the transport through the transport manager
 */
type PunchDialOptions = Parameters<DirectDialer['dial']>[1] &
  Pick<TCPDialOptions, 'initiator' | 'freshPort' | 'localPorts'>

export interface DirectDialOptions extends Required<AbortOptions> {
  /**
   * Our role in a hole punch: both peers dial, so one of them has to respond. Without
   * it the dial is an ordinary one.
   */
  initiator?: boolean

  /**
   * Whether the peer may send probes to all ports of our NAT, those of our dials too:
   * there it is the initiator
   */
  isProbed?(): boolean

  /**
   * Where to leave from
   *
   * @default the port of a listener
   */
  localPorts?: ListeningPort[]

  /**
   * A socket is connected, and its upgrade begins
   */
  onConnected?(): void
}

/**
 * Dial all addresses of a peer at once. The first connection wins, the other dials are
 * aborted. It goes by the transport manager: the dial queue of the connection manager
 * drops `initiator`, and would dial one address after the other.
 *
 * @throws {Error} the error of the only address, or an AggregateError
 */
export async function dialDirectly (
  components: DCUtRComponents,
  peer: PeerId,
  addresses: Multiaddr[],
  options: DirectDialOptions
): Promise<Connection> {
  const { initiator, isProbed, localPorts, onConnected } = options
  const others = new AbortController()
  const signal = anySignal([options.signal, others.signal])
  setMaxListeners(Infinity, signal)

  const dial = async (ma: Multiaddr): Promise<Connection> => {
    // the dial queue would ask
    if ((await components.connectionGater?.denyDialMultiaddr?.(ma)) === true) {
      throw new ConnectionFailedError(`The connection gater denies ${ma}`)
    }

    const dialOptions: PunchDialOptions = {
      signal,
      ...(initiator != null && { initiator }),
      // a SYN that went out before the peer's was dropped, and is not repeated for a second
      ...(initiator != null && cannotMeet(ma, components.transportManager.getListeners()) && {
        initiator: () => isProbed?.() !== true,
        freshPort: true
      }),
      ...(localPorts != null && { localPorts }),
      onProgress: ({ type }) => {
        if (type.startsWith('upgrader:')) {
          onConnected?.()
        }
      }
    }

    return components.transportManager.dial(ma, dialOptions)
  }

  try {
    if ((await components.connectionGater?.denyDialPeer?.(peer)) === true) {
      throw new ConnectionFailedError(`The connection gater denies ${peer}`)
    }

    return await Promise.any(addresses.map(dial))
  } catch (err: any) {
    throw err.errors?.length === 1 ? err.errors[0] : err
  } finally {
    others.abort()
    signal.clear()
  }
}

/**
 * An ordinary dial that goes on beside the CONNECT exchange, until the punch begins
 */
export class OneSidedDial {
  /**
   * Nothing when it has failed, or has yielded
   */
  readonly outcome: Promise<Connection | undefined>
  private readonly controller = new AbortController()
  private state: 'dialling' | 'connected' | 'failed' = 'dialling'

  constructor (components: DCUtRComponents, peer: PeerId, addresses: Multiaddr[], options: Required<AbortOptions>) {
    const signal = anySignal([options.signal, this.controller.signal])

    this.outcome = dialDirectly(components, peer, addresses, {
      signal,
      onConnected: () => { this.state = 'connected' }
    })
      .catch(() => {
        this.state = 'failed'

        return undefined
      })
      .finally(() => { signal.clear() })
  }

  /**
   * Make way for the punch, which dials the same addresses from the same port. A socket
   * that is connected already is what the punch is to reach: wait for it. One that is
   * not is given up, and the transport keeps it for the punch.
   */
  async yield (): Promise<Connection | undefined> {
    if (this.state !== 'connected') {
      this.controller.abort()
    }

    return this.outcome
  }
}
