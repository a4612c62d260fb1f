import { setTimeout as delay } from 'node:timers/promises'
import { InvalidMessageError, InvalidParametersError } from '@libp2p/interface'
import { pEvent } from 'p-event'
import { isRelayed } from '../connection/peers.ts'
import { hasSparePorts } from '../punch/spare-port.ts'
import { hasDialableAddress, ownAddresses, partnerAddresses, punchable } from './addresses.ts'
import { OneSidedDial, dialDirectly } from './direct-dial.ts'
import { MessageStream } from './message-stream.ts'
import { CONNECT, SYNC } from './message.ts'
import type { DCUtRComponents } from './components.ts'
import type { UpgradeMethod } from './index.ts'
import type { HolePunch } from './message.ts'
import type { SparePort } from '../punch/spare-port.ts'
import type { AbortOptions, Connection, IdentifyResult, Logger, Stream } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

const SYNC_MESSAGE: HolePunch = { type: SYNC, addresses: [] }

type Signal = Required<AbortOptions>

/**
 * Upgrades one relayed connection. The peer that was dialled through the relay (B of the
 * specification) asks, the peer that dialled (A) answers:
 *
 * 1. B opens a stream and sends CONNECT with its addresses.
 * 2. A sends CONNECT with its own. B has measured the round trip.
 * 3. B sends SYNC, and dials after half a round trip.
 * 4. A dials when SYNC arrives. The two SYNs cross, and open both NATs.
 *
 * If strangers can dial B, B sends SYNC together with CONNECT. A need not wait until B's
 * NAT is open, and dials a round trip earlier.
 *
 * At the same time, a peer that knows a public address of the other dials it. Without a NAT
 * in the way, no hole has to be punched.
 *
 * @see https://github.com/libp2p/specs/blob/master/relay/DCUtR.md#the-protocol
 */
export class HolePuncher {
  /**
   * Whether the peer sends probes to the ports of our NAT, or has sent some
   */
  isProbed = false

  private readonly components: DCUtRComponents
  private readonly relayed: Connection
  private oneSided?: OneSidedDial
  private isPunching = false
  private hasFailed = false
  private readonly log: Logger

  constructor (components: DCUtRComponents, relayed: Connection, log: Logger) {
    this.components = components
    this.relayed = relayed
    this.log = log
  }

  /**
   * Make one attempt as B
   */
  async ask ({ signal }: Signal): Promise<Connection> {
    return this.withSparePorts(async spare => this.askFrom(spare, { signal }), { signal })
  }

  /**
   * Make one attempt as A
   */
  async answer (stream: Stream, { signal }: Signal): Promise<Connection> {
    return this.withSparePorts(
      async spare => this.answerFrom(spare, MessageStream.accept(stream), { signal }),
      { signal }
    )
  }

  /**
   * Dial the public addresses that the peer announces, unless a punch begins soon after
   * identify: a punch is just as fast if the peer admits everybody. B dials if there are
   * such addresses. A does so only if it announces no address itself; otherwise B dials,
   * and both would be initiators if the two SYNs met.
   *
   * @returns nothing if there is nothing to dial, or a punch takes over
   * @throws {Error} why the dial failed
   */
  async dialOneSided ({ signal }: Signal): Promise<Connection | undefined> {
    const { events } = this.components
    const begin = performance.now()
    const { detail } = await pEvent<'peer:identify', CustomEvent<IdentifyResult>>(events, 'peer:identify', {
      filter: ({ detail }) => detail.connection === this.relayed,
      signal
    })
    const peer = this.relayed.remotePeer
    const addresses = punchable(detail.listenAddrs, peer, ownAddresses(this.components))
    const isAsked = this.relayed.direction === 'inbound' || !hasDialableAddress(this.components)

    if (addresses.length === 0 || !isAsked) {
      return
    }

    // CONNECT takes as long as identify
    await delay(performance.now() - begin, undefined, { signal })

    if (!this.isPunching) {
      this.oneSided = new OneSidedDial(this.components, peer, addresses, { signal })

      return this.oneSided.outcome
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

  private async askFrom (spare: SparePort[], { signal }: Signal): Promise<Connection> {
    const connect = this.connectMessage(spare)
    const isInviting = !this.hasFailed && hasDialableAddress(this.components)
    const sent = performance.now()
    const stream = await MessageStream.open(this.relayed, isInviting ? [connect, SYNC_MESSAGE] : [connect], { signal })

    try {
      const addresses = this.readConnect(await stream.read({ signal }))
      const roundTrip = performance.now() - sent

      const connection = await this.takeOver()

      if (connection != null) {
        return connection
      }

      if (!isInviting) {
        await stream.write(SYNC_MESSAGE, { signal })
        await delay(roundTrip / 2, undefined, { signal })
      }

      return await this.dial(addresses, false, spare, { signal })
    } catch (err: any) {
      stream.abort(err)
      throw err
    } finally {
      this.isPunching = false
      await stream.close()
    }
  }

  private async answerFrom (spare: SparePort[], stream: MessageStream, { signal }: Signal): Promise<Connection> {
    try {
      const addresses = this.readConnect(await stream.read({ signal }))
      await stream.write(this.connectMessage(spare), { signal })
      const sync = await stream.read({ signal })

      if (sync.type !== SYNC) {
        throw new InvalidMessageError(`The peer sent a message of type ${sync.type} in place of SYNC`)
      }

      return (await this.takeOver()) ?? (await this.dial(addresses, true, spare, { signal }))
    } catch (err: any) {
      stream.abort(err)
      throw err
    } finally {
      this.isPunching = false
      await stream.close()
    }
  }

  /**
   * The punch begins
   *
   * @returns the connection that the one-sided dial has made, if it was quick enough
   */
  private async takeOver (): Promise<Connection | undefined> {
    this.isPunching = true

    return this.oneSided?.yield()
  }

  private async dial (
    addresses: Multiaddr[],
    initiator: boolean,
    spare: SparePort[],
    options: Signal
  ): Promise<Connection> {
    const localPorts = spare.map(({ local }) => local)

    try {
      return await dialDirectly(this.components, this.relayed.remotePeer, addresses, {
        ...options,
        initiator,
        isProbed: () => this.isProbed,
        localPorts
      })
    } catch (err) {
      this.hasFailed = true
      throw err
    }
  }

  /**
   * Make one attempt. After a failure the next one leaves from other local ports.
   */
  private async withSparePorts<T> (attempt: (spare: SparePort[]) => Promise<T>, options: Signal): Promise<T> {
    const transport = this.components.transportManager.getTransports?.().find(hasSparePorts)

    if (!this.hasFailed || transport == null) {
      return attempt([])
    }

    const spare = await transport.openSparePorts(options)
    this.log.trace(
      'a router may keep the state of the failed punch with %p for 2 minutes, the next one leaves from %s',
      this.relayed.remotePeer,
      spare.map(({ local, external }) => `port ${local.port} (${external})`).join(' and ') || 'the same port'
    )

    try {
      return await attempt(spare)
    } finally {
      spare.forEach(port => { port.close() })
    }
  }

  private connectMessage (spare: SparePort[]): HolePunch {
    const addresses = [...spare.map(({ external }) => external), ...ownAddresses(this.components)]

    if (addresses.length === 0) {
      throw new InvalidParametersError('This node knows no public address of its own, so the peer could not dial it')
    }

    return { type: CONNECT, addresses: addresses.map(({ bytes }) => bytes) }
  }

  private readConnect ({ type, addresses }: HolePunch): Multiaddr[] {
    if (type !== CONNECT) {
      throw new InvalidMessageError(`The peer sent a message of type ${type} in place of CONNECT`)
    }

    const dialable = partnerAddresses(addresses, this.relayed.remotePeer, ownAddresses(this.components))

    if (dialable.length === 0) {
      throw new InvalidMessageError('The peer sent no public TCP address')
    }

    return dialable
  }
}
