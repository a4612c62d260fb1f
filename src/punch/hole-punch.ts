/**
 * What a hole punch over TCP needs beyond a dial from the listening port.
 *
 * Two peers that each sit behind a NAT which lets in only whom it has sent to
 * meet by connecting to each other at the same time (RFC 9293, section 3.5:
 * simultaneous open), each from the port that the other one dials. DCUtR gives
 * the signal over a relayed connection. Its four ingredients, and where they are:
 *
 * 1. Dial from the listening port: `shared-ports.ts`.
 * 2. Know who speaks first, once the sockets have met: `findPunch`, here.
 * 3. Let a dial that was given up linger: `lingering-dials.ts`.
 * 4. Reset what fails, so that no TIME_WAIT is in the way: `dialer.ts`.
 *
 * And the fast way: see `FastPunch`.
 */
import { CODE_P2P, multiaddr } from '@multiformats/multiaddr'
import { TCP } from '@multiformats/multiaddr-matcher'
import { anySignal } from 'any-signal'
import { pEvent } from 'p-event'
import { toMultiaddr } from '../address/endpoint.ts'
import { toIPEndpoint } from '../address/net-config.ts'
import { isGlobal } from '../address/scope.ts'
import { isRelayed } from './is-relayed.ts'
import type { Dialer } from '../dial/dialer.ts'
import type { TCPSTUNComponents } from '../index.ts'
import type { AbortOptions, Connection, IdentifyResult, Logger, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Socket } from 'node:net'

const DCUTR_PROTOCOL = '/libp2p/dcutr'

/**
 * A peer names as many addresses as it likes: no more of them are connected to
 */
const MAX_ADDRESSES = 3

/**
 * Relayed connections may come in numbers: no more fast punches are under way
 */
const MAX_PUNCHES = 8

/**
 * What a multistream-select initiator and responder both say first
 */
const MULTISTREAM_HEADER = '\x13/multistream/1.0.0\n'

/**
 * How long to wait for the first words of the other side, in ms. An initiator
 * speaks at once.
 */
const FIRST_WORDS_TIMEOUT = 1_000

/**
 * - `initiator`: speaks first
 * - `responder`: waits for the other side to speak
 */
export type Role = 'initiator' | 'responder'

/**
 * A punch that is under way
 */
export interface Punch {
  role: Role

  /**
   * The relayed connection that it is agreed on over
   */
  relayed: Connection
}

/**
 * The punch that a dial to this address is of, with the role that DCUtR has given
 * us in it; none when there is no punch under way. On a socket that met another one both
 * ends have dialled, so only DCUtR knows. libp2p does not pass its `initiator`
 * option on to transports, but the stream that DCUtR talks over is there to see:
 * who has opened it is B, the responder.
 *
 * To be asked once the socket is connected. When the dial begins it is too
 * early: B's one-sided dial is often the one that A's SYN completes.
 *
 * go-libp2p sends addresses without peer ids: such a one may be of any punch that
 * is under way, or of none.
 */
export function findPunch (components: TCPSTUNComponents, ma: Multiaddr): Punch | undefined {
  const peer = peerOf(ma)
  const punches = (components.connectionManager?.getConnections() ?? [])
    .filter(connection => isRelayed(connection) && (peer == null || peer === connection.remotePeer.toString()))
    .flatMap((relayed): Punch[] => {
      const stream = relayed.streams.find(({ protocol }) => protocol === DCUTR_PROTOCOL)

      return stream == null ? [] : [{ role: stream.direction === 'outbound' ? 'responder' : 'initiator', relayed }]
    })

  return punches.find(({ role }) => role === 'responder') ?? punches[0]
}

/**
 * Who speaks first, by what the other side says by itself: an initiator sends its
 * header and a proposal at once, a responder sends the header only, or waits. What
 * was read is put back. It never throws: when it is aborted the upgrade that
 * follows is.
 */
export async function listenForRole (socket: Socket, options: AbortOptions = {}): Promise<Role> {
  const signal = anySignal([options.signal, AbortSignal.timeout(FIRST_WORDS_TIMEOUT)])
  let words = Buffer.alloc(0)

  try {
    while (words.byteLength <= MULTISTREAM_HEADER.length && !socket.readableEnded) {
      words = Buffer.concat([words, socket.read() ?? Buffer.alloc(0)])

      if (words.byteLength <= MULTISTREAM_HEADER.length) {
        await pEvent(socket, 'readable', { signal, rejectionEvents: ['error', 'close', 'end'] })
      }
    }
  } catch {
    // no more words
  } finally {
    signal.clear()
  }

  if (words.byteLength > 0 && !socket.destroyed) {
    socket.unshift(words)
  }

  return words.byteLength > MULTISTREAM_HEADER.length ? 'responder' : 'initiator'
}

/**
 * The fast way. After a relayed connection is made, B (who was dialled) dials A's
 * public addresses by itself for up to 5 s before it begins to punch: in vain,
 * when A's NAT keeps it out. So A does not wait for the punch: as soon as identify
 * has told it B's addresses, it connects to those from its listening port. Its
 * SYN opens its own NAT, B's dial is under way, and they meet. B is an ordinary
 * initiator then, so A responds, whatever implementation B is.
 *
 * It is only ever more than what is done anyway: a connect that nobody answers
 * lingers for a while, and the punch that follows adopts it.
 */
export class FastPunch {
  private readonly components: TCPSTUNComponents
  private readonly dialer: Pick<Dialer, 'punch'>
  private readonly log: Logger
  private readonly seen = new WeakSet<Connection>()
  private underWay = 0
  private shutdown = new AbortController()

  constructor (components: TCPSTUNComponents, dialer: Pick<Dialer, 'punch'>) {
    this.components = components
    this.dialer = dialer
    this.log = components.logger.forComponent('libp2p:tcp-stun:hole-punch')
  }

  start (): void {
    this.shutdown = new AbortController()
    this.components.events?.addEventListener('peer:identify', this.onIdentify)
  }

  stop (): void {
    this.components.events?.removeEventListener('peer:identify', this.onIdentify)
    this.shutdown.abort()
  }

  private readonly onIdentify = ({ detail }: CustomEvent<IdentifyResult>): void => {
    const { connection, peerId, listenAddrs, protocols } = detail

    // once a connection, also when the peer identifies itself again
    if (!isRelayed(connection) || connection.direction !== 'outbound' || this.seen.has(connection) || isConnectedDirectly(this.components, peerId.toString())) {
      return
    }

    // B dials by itself only where both sides speak DCUtR
    if (!protocols.includes(DCUTR_PROTOCOL) || this.components.registrar?.getProtocols().includes(DCUTR_PROTOCOL) !== true) {
      return
    }

    this.seen.add(connection)

    for (const address of candidates(listenAddrs)) {
      if (this.underWay >= MAX_PUNCHES) {
        this.log('too many punches are under way, leaving %a to DCUtR', address)
        return
      }

      this.underWay++
      this.log('connecting to %a at once, its dial may meet ours', address)
      this.punch(multiaddr(`${address}/p2p/${peerId}`), peerId)
        .catch(err => { this.log('the fast way to %a failed - %e', address, err) })
        .finally(() => { this.underWay-- })
    }
  }

  /**
   * libp2p asks the gater when it dials, and this is no dial of its own
   */
  private async punch (ma: Multiaddr, peerId: PeerId): Promise<void> {
    const { connectionGater: gater } = this.components

    if (await gater?.denyDialPeer?.(peerId) === true || await gater?.denyDialMultiaddr?.(ma) === true) {
      this.log('the connection gater denies %a', ma)
      return
    }

    await this.dialer.punch(ma, { signal: this.shutdown.signal })
  }
}

/**
 * Whether there is a connection with a peer that goes through no relay
 */
export function isConnectedDirectly (components: TCPSTUNComponents, peer: string): boolean {
  return components.connectionManager?.getConnections().some(connection => connection.remotePeer.toString() === peer && !isRelayed(connection)) === true
}

/**
 * Whether there is a connection with a peer, and none that goes through no relay
 */
export function isConnectedByRelay (components: TCPSTUNComponents, peer: string): boolean {
  const isPeer = ({ remotePeer }: Connection): boolean => remotePeer.toString() === peer

  return components.connectionManager?.getConnections().some(isPeer) === true && !isConnectedDirectly(components, peer)
}

/**
 * The public TCP addresses among those that a peer announces: a few, all of them
 * at the host of the first, so that nobody is made to connect to many
 */
export function candidates (addresses: Multiaddr[]): Multiaddr[] {
  const found = new Map<string, Multiaddr>()
  let hosts: Record<number, string> = {}

  for (const ma of addresses) {
    if (!TCP.exactMatch(ma)) {
      continue
    }

    const endpoint = toIPEndpoint(ma)

    // names are not looked up for this
    if (endpoint == null || !isGlobal(endpoint.host)) {
      continue
    }

    const { family, host, port } = endpoint
    hosts = { [family]: host, ...hosts }

    if (hosts[family] === host && found.size < MAX_ADDRESSES) {
      const address = toMultiaddr({ host, port })
      found.set(address.toString(), address)
    }
  }

  return [...found.values()]
}

export function peerOf (ma: Multiaddr): string | undefined {
  return ma.getComponents().findLast(({ code }) => code === CODE_P2P)?.value
}
