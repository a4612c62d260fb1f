import { Message } from '../pb/rendezvous.ts'
import { InvalidRecordError, openRecord, readRecord } from '../signed-record.ts'
import { Refusal, checkCookie, checkNamespace, checkTTL } from './checks.ts'
import { encodeCookie } from './cookie.ts'
import { readPage } from './pages.ts'
import type { Board, FullReason } from './board.ts'
import type { BoardLimits } from './limits.ts'
import type { Page } from './pages.ts'
import type { Readers } from './readers.ts'
import type { Sender } from './sender.ts'
import type { SignedRecord } from '../signed-record.ts'
import type { PeerId } from '@libp2p/interface'
import type { Clock } from 'libp2p-tcp-stun/mapping'

const { MessageType, ResponseStatus } = Message

/**
 * The longest time that a reader may wait, in ms
 */
export const MAX_WAIT = 60_000

const FULL: Record<FullReason, string> = {
  'board-full': 'The board is full, try again later',
  'peer-full': 'The peer has too many registrations, unregister one first',
  'address-full': 'The peers of this network have too many registrations, unregister one first'
}

/**
 * The agent of rust-libp2p, which reads legacy records only
 */
const LEGACY_AGENT = 'rust-libp2p/'

export interface RequestHandlerInit {
  board: Board
  readers: Readers
  limits: BoardLimits
  clock: Clock

  /**
   * The name of this helper
   */
  via: string

  /**
   * Whether a peer may use the board
   */
  allow(peer: PeerId): boolean
}

/**
 * Answers the requests of peers
 */
export class RequestHandler {
  private readonly init: RequestHandlerInit

  constructor (init: RequestHandlerInit) {
    this.init = init
  }

  /**
   * @returns undefined when the protocol has no answer to it
   */
  async handle (request: Message, sender: Sender, signal: AbortSignal): Promise<Message | undefined> {
    const { peer } = sender

    switch (request.type) {
      case MessageType.REGISTER:
        return this.guard(MessageType.REGISTER_RESPONSE, peer, async () =>
          this.register(request.register ?? {}, sender, signal))
      case MessageType.DISCOVER:
        return this.guard(MessageType.DISCOVER_RESPONSE, peer, async () =>
          this.discover(request.discover ?? {}, sender, signal))
      case MessageType.UNREGISTER:
        this.unregister(request.unregister ?? {}, peer)
        return
      default:
        throw new Error(`A client does not send ${request.type ?? 'messages without a type'}`)
    }
  }

  /**
   * Turn a refusal into an answer
   */
  private async guard (
    type: Message.MessageType,
    peer: PeerId,
    handle: () => Promise<Message>
  ): Promise<Message> {
    try {
      if (!this.init.allow(peer)) {
        throw new Refusal(ResponseStatus.E_NOT_AUTHORIZED, 'This board is for its members only')
      }

      return await handle()
    } catch (err) {
      if (!(err instanceof Refusal)) {
        throw err
      }

      const response = { status: err.status, statusText: err.message }

      return type === MessageType.REGISTER_RESPONSE
        ? { type, registerResponse: response }
        : { type, discoverResponse: { ...response, registrations: [] } }
    }
  }

  private async register (request: Message.Register, sender: Sender, signal: AbortSignal): Promise<Message> {
    const { board, limits, via } = this.init
    const { peer, hosts } = sender
    const namespace = checkNamespace(request.ns)
    const ttl = checkTTL(request.ttl, limits)
    const { signedPeerRecord: bytes } = request

    if (bytes == null || bytes.byteLength > limits.maxRecordLength) {
      throw new Refusal(
        ResponseStatus.E_INVALID_SIGNED_PEER_RECORD,
        `A signed peer record of 1 to ${limits.maxRecordLength} bytes is needed, not of ${bytes?.byteLength ?? 0}`
      )
    }

    const { form } = await this.checkRecord(bytes, sender, namespace, signal)
    const full = board.register(
      { peer: peer.toString(), namespace, form },
      { record: new Uint8Array(bytes), ttl, via, hosts }
    )

    if (full != null) {
      throw new Refusal(ResponseStatus.E_UNAVAILABLE, FULL[full])
    }

    return {
      type: MessageType.REGISTER_RESPONSE,
      registerResponse: { status: ResponseStatus.OK, ttl: BigInt(ttl) }
    }
  }

  /**
   * Whether a peer has signed the record, and may register it. The signature costs most, so
   * it comes last.
   */
  private async checkRecord (
    bytes: Uint8Array,
    { peer, hosts }: Sender,
    namespace: string,
    signal: AbortSignal
  ): Promise<SignedRecord> {
    const { board } = this.init

    try {
      const record = readRecord(bytes)

      if (!record.peer.equals(peer)) {
        throw new Refusal(ResponseStatus.E_NOT_AUTHORIZED, 'A peer can only register itself')
      }

      const key = { peer: peer.toString(), namespace, form: record.form }
      const existing = board.find(key)
      const full = board.isFull(key, hosts)

      if (existing != null && readRecord(existing.record).sequence > record.sequence) {
        throw new Refusal(
          ResponseStatus.E_INVALID_SIGNED_PEER_RECORD,
          'The peer has registered a newer record, with a larger sequence number'
        )
      }

      if (full != null) {
        throw new Refusal(ResponseStatus.E_UNAVAILABLE, FULL[full])
      }

      return await openRecord(bytes, { signal })
    } catch (err: any) {
      throw err instanceof InvalidRecordError
        ? new Refusal(ResponseStatus.E_INVALID_SIGNED_PEER_RECORD, err.message)
        : err
    }
  }

  private unregister ({ ns }: Message.Unregister, peer: PeerId): void {
    const { board } = this.init
    board.remove([...board.ofPeer(peer.toString())].filter(({ namespace }) => namespace === ns))
  }

  private async discover (request: Message.Discover, sender: Sender, signal: AbortSignal): Promise<Message> {
    const { board, readers, clock } = this.init
    const { peer } = sender
    const namespace = request.ns == null || request.ns === '' ? undefined : checkNamespace(request.ns)
    const cookie = checkCookie(request.cookie, namespace)
    const position = cookie == null ? 0 : board.resume(cookie)
    const limit = Number(request.limit ?? Infinity)
    const wait = Math.min(request.wait ?? 0, MAX_WAIT)
    // who can wait is a client of this project
    const legacyOnly = request.wait == null && await this.isLegacyReader(sender)
    const read = (): Page => readPage(board, namespace, { after: position, reader: peer.toString(), limit, legacyOnly })
    const end = clock.now() + wait
    let page = read()

    while (!page.isNews && page.position == null && clock.now() < end && !signal.aborted) {
      await readers.wait(namespace, end - clock.now(), signal)
      page = read()
    }

    return {
      type: MessageType.DISCOVER_RESPONSE,
      discoverResponse: {
        registrations: page.registrations,
        cookie: encodeCookie(board.cookie(namespace, page.position)),
        status: ResponseStatus.OK
      }
    }
  }

  private async isLegacyReader ({ peer, agent }: Sender): Promise<boolean> {
    let registered = false

    for (const { form } of this.init.board.ofPeer(peer.toString())) {
      if (form === 'standard') {
        return false
      }

      registered = true
    }

    return registered || (await agent())?.startsWith(LEGACY_AGENT) === true
  }
}
