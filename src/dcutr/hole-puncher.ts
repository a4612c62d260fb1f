import { setTimeout as delay } from 'node:timers/promises'
import { InvalidMessageError, InvalidParametersError } from '@libp2p/interface'
import { pbStream } from '@libp2p/utils'
import { pEvent } from 'p-event'
import { isRelayed } from '../connection/peers.ts'
import { ownAddresses, partnerAddresses, punchable } from './addresses.ts'
import { OneSidedDial, dialDirectly } from './direct-dial.ts'
import { CONNECT, HolePunch, MAX_MESSAGE_LENGTH, SYNC } from './message.ts'
import type { DCUtRComponents } from './components.ts'
import type { UpgradeMethod } from './index.ts'
import type { AbortOptions, Connection, IdentifyResult, Stream } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

export const DCUTR_PROTOCOL = '/libp2p/dcutr'

type Signal = Required<AbortOptions>

/**
 * Upgrades one relayed connection. The peer that was dialled through the relay (B of the
 * specification) asks, the peer that dialled (A) answers:
 *
 * 1. B opens a stream, sends CONNECT with its addresses and measures the round trip.
 * 2. A sends CONNECT with its own.
 * 3. B sends SYNC, and dials after half a round trip.
 * 4. A dials when SYNC arrives. The two SYNs cross, and open both NATs.
 *
 * Beside it, whoever knows a public address of the other dials it: where no NAT is in the
 * way no hole has to be punched.
 *
 * @see https://github.com/libp2p/specs/blob/master/relay/DCUtR.md#the-protocol
 */
export class HolePuncher {
  private readonly components: DCUtRComponents
  private readonly relayed: Connection
  private oneSided?: OneSidedDial
  private isPunching = false

  constructor (components: DCUtRComponents, relayed: Connection) {
    this.components = components
    this.relayed = relayed
  }

  /**
   * As B, one attempt
   */
  async ask ({ signal }: Signal): Promise<Connection> {
    const stream = await this.relayed.newStream(DCUTR_PROTOCOL, { signal, runOnLimitedConnection: true })

    try {
      const messages = pbStream(stream, { maxDataLength: MAX_MESSAGE_LENGTH }).pb(HolePunch)
      const sent = performance.now()
      await messages.write(this.connectMessage(), { signal })
      const addresses = this.readConnect(await messages.read({ signal }))
      const roundTrip = performance.now() - sent
      const connection = await this.oneSided?.yield()

      if (connection != null) {
        return connection
      }

      await messages.write({ type: SYNC, addresses: [] }, { signal })
      await delay(roundTrip / 2, undefined, { signal })

      return await this.punch(addresses, false, { signal })
    } catch (err: any) {
      stream.abort(err)
      throw err
    } finally {
      await closeQuietly(stream)
    }
  }

  /**
   * As A, one attempt
   */
  async answer (stream: Stream, { signal }: Signal): Promise<Connection> {
    try {
      const messages = pbStream(stream, { maxDataLength: MAX_MESSAGE_LENGTH }).pb(HolePunch)
      const addresses = this.readConnect(await messages.read({ signal }))
      await messages.write(this.connectMessage(), { signal })
      const sync = await messages.read({ signal })

      if (sync.type !== SYNC) {
        throw new InvalidMessageError(`The peer sent a message of type ${sync.type} in place of SYNC`)
      }

      const connection = await this.oneSided?.yield()

      if (connection != null) {
        return connection
      }

      return await this.punch(addresses, true, { signal })
    } catch (err: any) {
      stream.abort(err)
      throw err
    } finally {
      await closeQuietly(stream)
    }
  }

  /**
   * Dial the public addresses that the peer announces, as soon as identify has told
   * them. B does if there are any. A does only where it announces none itself: otherwise
   * B dials, and both would be initiators if the two SYNs met.
   */
  async dialOneSided ({ signal }: Signal): Promise<void> {
    const { events, addressManager } = this.components
    const { detail } = await pEvent<'peer:identify', CustomEvent<IdentifyResult>>(events, 'peer:identify', {
      filter: ({ detail }) => detail.connection === this.relayed,
      signal
    })
    const peer = this.relayed.remotePeer
    const addresses = punchable(detail.listenAddrs, peer)
    const isAsked = this.relayed.direction === 'inbound' || punchable(addressManager.getAddresses(), peer).length === 0

    if (addresses.length > 0 && isAsked) {
      this.oneSided = new OneSidedDial(this.components, peer, addresses, { signal })
    }
  }

  /**
   * How a connection that has just opened came about
   */
  methodOf ({ direction }: Connection): UpgradeMethod {
    if (this.isPunching) {
      return 'punch'
    }

    return direction === 'inbound' ? 'inbound' : 'dial'
  }

  /**
   * The first direct connection with the peer, whoever made it
   */
  async untilDirect ({ signal }: Signal): Promise<Connection> {
    const { connectionManager, events } = this.components
    const isDirect = (connection: Connection): boolean =>
      !isRelayed(connection) && connection.remotePeer.equals(this.relayed.remotePeer)
    const known = connectionManager.getConnections(this.relayed.remotePeer).find(isDirect)

    if (known != null) {
      return known
    }

    const { detail } = await pEvent<'connection:open', CustomEvent<Connection>>(events, 'connection:open', {
      filter: ({ detail }) => isDirect(detail),
      signal
    })

    return detail
  }

  private async punch (addresses: Multiaddr[], initiator: boolean, options: Signal): Promise<Connection> {
    this.isPunching = true

    try {
      return await dialDirectly(this.components, this.relayed.remotePeer, addresses, { ...options, initiator })
    } finally {
      this.isPunching = false
    }
  }

  private connectMessage (): HolePunch {
    const addresses = ownAddresses(this.components)

    if (addresses.length === 0) {
      throw new InvalidParametersError('This node knows no public address of its own, so the peer could not dial it')
    }

    return { type: CONNECT, addresses: addresses.map(({ bytes }) => bytes) }
  }

  private readConnect ({ type, addresses }: HolePunch): Multiaddr[] {
    if (type !== CONNECT) {
      throw new InvalidMessageError(`The peer sent a message of type ${type} in place of CONNECT`)
    }

    const dialable = partnerAddresses(addresses, this.relayed.remotePeer)

    if (dialable.length === 0) {
      throw new InvalidMessageError('The peer sent no public TCP address')
    }

    return dialable
  }
}

async function closeQuietly (stream: Stream): Promise<void> {
  try {
    await stream.close()
  } catch {
    // reset by the peer: there is nothing left to close
  }
}
