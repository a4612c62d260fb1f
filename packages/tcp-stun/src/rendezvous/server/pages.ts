import { MAX_RESPONSE_LENGTH } from '../protocol.ts'
import type { Board } from './board.ts'
import type { Registration } from './registration.ts'
import type { Message } from '../pb/rendezvous.ts'

/**
 * What a registration takes in an answer beside its record and its namespace, in bytes
 */
const REGISTRATION_OVERHEAD = 24

/**
 * What an answer takes beside its registrations, in bytes
 */
const RESPONSE_OVERHEAD = 1_024

export interface Page {
  registrations: Message.Register[]

  /**
   * Up to where it goes, unless to the end
   */
  position?: number

  /**
   * Whether there is anything that others have registered
   */
  isNews: boolean
}

export interface PageInit {
  /**
   * Up to where the reader has read
   */
  after: number

  /**
   * Who reads
   */
  reader: string

  /**
   * How many registrations it wants at most
   */
  limit: number

  /**
   * Whether it reads legacy records only
   */
  legacyOnly: boolean
}

/**
 * What a reader has not read yet, as much as an answer may have
 */
export function readPage (board: Board, namespace: string | undefined, init: PageInit): Page {
  const { after, reader, limit, legacyOnly } = init
  const registrations: Message.Register[] = []
  let length = RESPONSE_OVERHEAD
  let position = after
  let isNews = false

  for (const registration of board.read(namespace, after)) {
    if (isRead(board, registration, legacyOnly)) {
      length += registration.record.byteLength + 3 * registration.namespace.length + REGISTRATION_OVERHEAD

      if (registrations.length >= limit || length > MAX_RESPONSE_LENGTH) {
        return { registrations, position, isNews }
      }

      isNews ||= registration.peer !== reader
      registrations.push({
        ns: registration.namespace,
        signedPeerRecord: registration.record,
        ttl: BigInt(board.remaining(registration))
      })
    }

    position = registration.position
  }

  return { registrations, isNews }
}

/**
 * Whether a reader gets a registration. One record in a form that it cannot read would
 * make rust-libp2p drop the whole answer. Other readers get one record of each peer.
 */
function isRead (board: Board, { peer, namespace, form }: Registration, legacyOnly: boolean): boolean {
  return legacyOnly
    ? form === 'legacy'
    : form === 'standard' || board.find({ peer, namespace, form: 'standard' }) == null
}
