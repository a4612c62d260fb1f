import { onBytes } from '../net/on-bytes.ts'
import { HEADER_LENGTH } from '../stun/constants.ts'
import { MessageDecoder } from '../stun/decoder.ts'
import { RateLimit } from './rate-limit.ts'
import { isBareRequest } from './response.ts'
import type { Connection } from './connection.ts'
import type { Limits } from './limits.ts'
import type { Outcome, Reaction, Responder } from './response.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { Socket } from 'node:net'

/**
 * Why the server ended a connection
 *
 * - `not-stun`: the client sent something that is not STUN
 * - `message-timeout`: a message took too long from its first byte to its last
 * - `rate`: too many requests a second
 * - `not-reading`: the client sends requests and does not read the responses
 * - `proxy-header`: a trusted proxy sent no PROXY header, or a malformed one
 * - `tls`: the TLS handshake failed or took too long, or the session broke a rule
 * - `displaced`: the server was full, and the client had not asked anything
 * - `closed`: the server was closed, or its drain deadline passed
 */
export type ResetReason =
  'not-stun' | 'message-timeout' | 'rate' | 'not-reading' | 'proxy-header' | 'tls' | 'displaced' | 'closed'

/**
 * What all sessions of a server share
 */
export interface SessionHost {
  readonly limits: Limits

  /**
   * Where clients are sent while the server drains
   */
  readonly alternates: Endpoint[]

  /**
   * A message was answered or ignored
   */
  onMessage(session: ClientSession, outcome: Outcome): void

  /**
   * The client broke a rule: end its connection
   */
  drop(connection: Connection, reason: ResetReason, err?: Error): void
}

/**
 * Responses are collected here and written at once. The kernel takes nearly all
 * of them at once; if not, the socket keeps this buffer and the next responses get
 * another one. A TLS session always keeps what it is given for a while, so it gets a
 * copy: with a buffer of its own for each response garbage was a quarter of what a
 * request costs.
 */
const BUFFER_LENGTH = 16_384
const NOTHING = new Uint8Array(0)
let buffer = Buffer.allocUnsafeSlow(BUFFER_LENGTH)

/**
 * Answers the requests on one connection until the client closes it. There are
 * thousands: an idle one holds nothing but this object.
 */
export class ClientSession {
  readonly connection: Connection
  readonly responder: Responder
  private readonly host: SessionHost
  private readonly rate: RateLimit

  /**
   * While a message is incomplete
   */
  private decoder?: MessageDecoder

  /**
   * Stops waiting for the rest of a message, or for the client to read
   */
  private stopWaiting?: () => void

  constructor (connection: Connection, responder: Responder, host: SessionHost) {
    this.connection = connection
    this.responder = responder
    this.host = host
    this.rate = new RateLimit(host.limits.maxRequestsPerSecond)

    onBytes(connection.stream, chunk => { this.receive(chunk) })
    // the client has sent everything: it may still read
    connection.stream.on('end', endStream)
  }

  receive (chunk: Uint8Array): void {
    const { connection: { client }, host, responder } = this
    const now = performance.now()
    let length = 0
    let offset = 0
    let completed = false
    let failure: { reason: ResetReason, err?: Error } | undefined

    try {
      // whole requests without attributes, which nearly all are, need no decoder
      while (this.decoder == null && responder.isOpen && host.alternates.length === 0 && isBareRequest(chunk, offset)) {
        if (!this.rate.take(now)) {
          failure = { reason: 'rate' }
          break
        }

        length = this.reserve(responder.bareLength, length)
        length = responder.writeBare(chunk, offset, client, buffer, length)
        offset += HEADER_LENGTH
        completed = true
        host.onMessage(this, 'success')
      }

      if (failure == null && offset < chunk.byteLength) {
        this.decoder ??= new MessageDecoder(host.limits)

        for (const bytes of this.decoder.decode(chunk.subarray(offset))) {
          if (!this.rate.take(now)) {
            failure = { reason: 'rate' }
            break
          }

          completed = true
          const reaction = responder.respond(bytes, client, host.alternates)
          length = this.append(reaction, length)
          host.onMessage(this, reaction.type === 'ignore' ? 'ignore' : reaction.outcome)
        }
      }
    } catch (err: any) {
      failure = { reason: 'not-stun', err }
    }

    // requests before a failure get their responses, however the bytes were cut
    this.flush(length)

    if (failure != null) {
      host.drop(this.connection, failure.reason, failure.err)
    } else {
      this.setDeadline(completed)
    }
  }

  private append (reaction: Reaction, length: number): number {
    if (reaction.type === 'ignore') {
      return length
    }

    length = this.reserve(reaction.bytes.byteLength, length)
    buffer.set(reaction.bytes, length)

    return length + reaction.bytes.byteLength
  }

  /**
   * Make room for a response in the buffer
   *
   * @returns where to write it
   */
  private reserve (size: number, length: number): number {
    if (length + size <= buffer.byteLength) {
      return length
    }

    this.flush(length)

    return 0
  }

  private flush (length: number): void {
    if (length === 0) {
      return
    }

    const { stream, raw } = this.connection
    const responses = buffer.subarray(0, length)

    if (stream !== raw) {
      stream.write(Buffer.from(responses))
      return
    }

    stream.write(responses)

    if (stream.writableLength > 0) {
      buffer = Buffer.allocUnsafeSlow(BUFFER_LENGTH)
    }
  }

  /**
   * An incomplete message must be completed in time, and responses must be read
   */
  private setDeadline (completed: boolean): void {
    const { connection: { stream }, host: { limits } } = this
    const partial = this.decoder?.bufferedLength ?? 0

    if (stream.writableLength > limits.maxUnsentLength) {
      // a client that never reads must not fill our memory
      stream.pause()
      this.startTimer('not-reading')
      // calls back once everything before it has left
      stream.write(NOTHING, err => {
        this.stopTimer()

        if (err == null) {
          stream.resume()
          this.setDeadline(true)
        }
      })
    } else if (partial === 0) {
      this.decoder = undefined
      this.stopTimer()
    } else if (this.stopWaiting == null || completed) {
      // counts from the first byte of a message, not from each of its bytes
      this.startTimer('message-timeout')
    }
  }

  private startTimer (reason: 'message-timeout' | 'not-reading'): void {
    this.stopTimer()
    const { connection, host } = this
    const timer = setTimeout(() => { host.drop(connection, reason) }, host.limits.messageTimeout)
    const onClose = (): void => { clearTimeout(timer) }
    connection.stream.on('close', onClose)
    this.stopWaiting = () => {
      clearTimeout(timer)
      connection.stream.off('close', onClose)
    }
  }

  private stopTimer (): void {
    this.stopWaiting?.()
    this.stopWaiting = undefined
  }
}

function endStream (this: Socket): void {
  this.end()
}
