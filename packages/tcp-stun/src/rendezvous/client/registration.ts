import { Message } from '../pb/rendezvous.ts'
import { RequestStream, tell } from './request-stream.ts'
import type { RecordForm } from '../signed-record.ts'
import type { Connection } from '@libp2p/interface'

const { MessageType, ResponseStatus } = Message

/**
 * A server has refused a request
 */
export class RefusedError extends Error {
  static name = 'RefusedError'
  name = 'RefusedError'

  /**
   * As the specification calls it, such as `E_NOT_AUTHORIZED`
   */
  readonly status: string

  constructor (status: string | undefined, text: string | undefined) {
    super(`The server refused with ${status ?? 'no status'}${text == null || text === '' ? '' : `: ${text}`}`)

    this.status = status ?? ''
  }
}

/**
 * Register a record
 *
 * @returns how long the registration lasts, in s
 * @throws {RefusedError}
 */
export async function register (
  connection: Connection,
  namespace: string,
  record: Uint8Array<ArrayBuffer>,
  ttl: number,
  signal: AbortSignal
): Promise<number> {
  const stream = new RequestStream(connection)

  try {
    const { registerResponse } = await stream.ask({
      type: MessageType.REGISTER,
      register: { ns: namespace, signedPeerRecord: record, ttl: BigInt(ttl) }
    }, signal)

    if (registerResponse?.status !== ResponseStatus.OK) {
      throw new RefusedError(registerResponse?.status, registerResponse?.statusText)
    }

    return Number(registerResponse.ttl ?? ttl)
  } finally {
    await stream.close(signal)
  }
}

/**
 * Take all registrations of a namespace back
 */
export async function unregister (connection: Connection, namespace: string, signal: AbortSignal): Promise<void> {
  await tell(connection, { type: MessageType.UNREGISTER, unregister: { ns: namespace } }, signal)
}

const STANDARD_FIRST: RecordForm[] = ['standard', 'legacy']
const LEGACY_FIRST: RecordForm[] = ['legacy', 'standard']

/**
 * In which form a server reads records. rust-libp2p closes the stream on what it cannot
 * read, so the form is found by trying.
 */
export class FormFinder {
  private form?: RecordForm

  /**
   * Try to register in the standard form, then in the legacy form. What has worked is tried
   * first the next time.
   */
  async register (attempt: (form: RecordForm) => Promise<number>): Promise<number> {
    const [first, second] = this.form === 'legacy' ? LEGACY_FIRST : STANDARD_FIRST

    try {
      return await attempt(first)
    } catch (err: any) {
      if (err.name === 'RefusedError' || err.name === 'AbortError') {
        throw err
      }
    }

    const ttl = await attempt(second)
    this.form = second

    return ttl
  }
}
