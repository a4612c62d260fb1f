import { Message } from '../pb/rendezvous.ts'
import { DEFAULT_TTL, MAX_NAMESPACE_LENGTH, MAX_RESPONSE_LENGTH, namespaceLength } from '../protocol.ts'
import { InvalidRecordError, openRecord, readVerifiedRecord } from '../signed-record.ts'
import { decodeCookie, encodeCookie } from './cookie.ts'
import type { Board, FullReason } from './board.ts'
import type { BoardLimits } from './limits.ts'
import type { Readers } from './readers.ts'
import type { Registration } from './registration.ts'
import type { PeerId } from '@libp2p/interface'
import type { Clock } from 'libp2p-tcp-stun/mapping'

const { MessageType, ResponseStatus } = Message

/**
 * What a registration takes in an answer beside its record and its namespace, in bytes
 */
const REGISTRATION_OVERHEAD = 24

/**
 * What an answer takes beside its registrations, in bytes
 */
const RESPONSE_OVERHEAD = 1_024

/**
 * The longest time that a reader may wait, in ms
 */
export const MAX_WAIT = 60_000

const FULL: Record<FullReason, string> = {
  'board-full': 'The board is full, try again later',
  'peer-full': 'The peer has too many registrations, unregister one first'
}

/**
 * A request is refused, with the status and the text of the answer
 */
class Refusal extends Error {
  readonly status: Message.ResponseStatus

  constructor (status: Message.ResponseStatus, text: string) {
    super(text)

    this.status = status
  }
}

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

  /**
   * Whether a peer without registrations reads legacy records only
   */
  readsLegacyOnly(peer: PeerId): Promise<boolean>
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
  async handle (request: Message, peer: PeerId, signal: AbortSignal): Promise<Message | undefined> {
    switch (request.type) {
      case MessageType.REGISTER:
        return this.guard(MessageType.REGISTER_RESPONSE, peer, async () =>
          this.register(request.register ?? {}, peer, signal))
      case MessageType.DISCOVER:
        return this.guard(MessageType.DISCOVER_RESPONSE, peer, async () =>
          this.discover(request.discover ?? {}, peer, signal))
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

  private async register (request: Message.Register, peer: PeerId, signal: AbortSignal): Promise<Message> {
    const { board, limits, via } = this.init
    const namespace = checkNamespace(request.ns)
    const ttl = this.checkTTL(request.ttl)
    const { signedPeerRecord: bytes } = request

    if (bytes == null || bytes.byteLength > limits.maxRecordLength) {
      throw new Refusal(
        ResponseStatus.E_INVALID_SIGNED_PEER_RECORD,
        `A signed peer record of 1 to ${limits.maxRecordLength} bytes is needed, not of ${bytes?.byteLength ?? 0}`
      )
    }

    const record = await openRecord(bytes, { signal }).catch(err => {
      throw err instanceof InvalidRecordError
        ? new Refusal(ResponseStatus.E_INVALID_SIGNED_PEER_RECORD, err.message)
        : err
    })

    if (!record.peer.equals(peer)) {
      throw new Refusal(ResponseStatus.E_NOT_AUTHORIZED, 'A peer can only register itself')
    }

    const key = { peer: peer.toString(), namespace, form: record.form }
    const existing = board.find(key)

    if (existing != null && readVerifiedRecord(existing.record).sequence > record.sequence) {
      throw new Refusal(
        ResponseStatus.E_INVALID_SIGNED_PEER_RECORD,
        'The peer has registered a newer record, with a larger sequence number'
      )
    }

    const full = board.register(key, Uint8Array.from(bytes), ttl, via)

    if (full != null) {
      throw new Refusal(ResponseStatus.E_UNAVAILABLE, FULL[full])
    }

    return {
      type: MessageType.REGISTER_RESPONSE,
      registerResponse: { status: ResponseStatus.OK, ttl: BigInt(ttl) }
    }
  }

  private checkTTL (requested: bigint | undefined): number {
    const { minTTL, maxTTL } = this.init.limits
    const ttl = Number(requested ?? Math.min(Math.max(DEFAULT_TTL, minTTL), maxTTL))

    if (ttl < minTTL || ttl > maxTTL) {
      throw new Refusal(ResponseStatus.E_INVALID_TTL, `The TTL must be from ${minTTL} to ${maxTTL} seconds, not ${ttl}`)
    }

    return ttl
  }

  private unregister ({ ns }: Message.Unregister, peer: PeerId): void {
    const { board } = this.init
    board.remove([...board.ofPeer(peer.toString())].filter(({ namespace }) => namespace === ns))
  }

  private async discover (request: Message.Discover, peer: PeerId, signal: AbortSignal): Promise<Message> {
    const { readers } = this.init
    const namespace = request.ns == null || request.ns === '' ? undefined : checkNamespace(request.ns)
    const position = checkCookie(request.cookie, namespace)
    const limit = Number(request.limit ?? Infinity)
    const wait = Math.min(request.wait ?? 0, MAX_WAIT)
    const legacyOnly = await this.isLegacyReader(peer)
    let page = this.readPage(namespace, position, limit, legacyOnly)

    if (page.registrations.length === 0 && wait > 0) {
      await readers.wait(namespace, wait, signal)
      page = this.readPage(namespace, position, limit, legacyOnly)
    }

    return {
      type: MessageType.DISCOVER_RESPONSE,
      discoverResponse: {
        registrations: page.registrations,
        cookie: encodeCookie({ position: page.position, namespace }),
        status: ResponseStatus.OK
      }
    }
  }

  private readPage (
    namespace: string | undefined,
    after: number,
    limit: number,
    legacyOnly: boolean
  ): { registrations: Message.Register[], position: number } {
    const { board, clock } = this.init
    const now = clock.now()
    const registrations: Message.Register[] = []
    let length = RESPONSE_OVERHEAD
    let position = after

    for (const registration of board.read(namespace, after)) {
      if (this.isRead(registration, legacyOnly)) {
        length += registration.record.byteLength + 3 * registration.namespace.length + REGISTRATION_OVERHEAD

        if (registrations.length >= limit || length > MAX_RESPONSE_LENGTH) {
          return { registrations, position }
        }

        registrations.push({
          ns: registration.namespace,
          signedPeerRecord: registration.record,
          ttl: BigInt(Math.ceil((registration.expires - now) / 1_000))
        })
      }

      position = registration.position
    }

    return { registrations, position: board.latest }
  }

  /**
   * Whether a reader gets a registration. One record in a form that it cannot read would
   * make rust-libp2p drop the whole answer. Other readers get one record of each peer.
   */
  private isRead ({ peer, namespace, form }: Registration, legacyOnly: boolean): boolean {
    return legacyOnly
      ? form === 'legacy'
      : form === 'standard' || this.init.board.find({ peer, namespace, form: 'standard' }) == null
  }

  private async isLegacyReader (peer: PeerId): Promise<boolean> {
    let registered = false

    for (const { form } of this.init.board.ofPeer(peer.toString())) {
      if (form === 'standard') {
        return false
      }

      registered = true
    }

    return registered || this.init.readsLegacyOnly(peer)
  }
}

function checkNamespace (namespace = ''): string {
  const length = namespaceLength(namespace)

  if (length === 0 || length > MAX_NAMESPACE_LENGTH) {
    throw new Refusal(
      ResponseStatus.E_INVALID_NAMESPACE,
      `A namespace has 1 to ${MAX_NAMESPACE_LENGTH} bytes of UTF-8, not ${length}`
    )
  }

  return namespace
}

/**
 * @returns up to which position its holder has read
 */
function checkCookie (bytes: Uint8Array | undefined, namespace: string | undefined): number {
  if (bytes == null || bytes.byteLength === 0) {
    return 0
  }

  const cookie = decodeCookie(bytes)

  if (cookie == null) {
    throw new Refusal(ResponseStatus.E_INVALID_COOKIE, 'The cookie is not one of this board')
  }

  if (cookie.namespace != null && cookie.namespace !== namespace) {
    throw new Refusal(ResponseStatus.E_INVALID_COOKIE, 'The cookie is one of another namespace')
  }

  return cookie.position
}
