import { onBytes } from '../net/on-bytes.ts'
import { HEADER_LENGTH } from '../stun/constants.ts'
import { MessageDecoder } from '../stun/decoder.ts'
import { RateLimit } from './rate-limit.ts'
import { isBareRequest } from './response.ts'
import type { Limits } from './limits.ts'
import type { Reaction, Responder } from './response.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { Socket } from 'node:net'

/**
 * Why a connection was reset from this side
 *
 * - `not-stun`: it sent what is no STUN
 * - `message-timeout`: a message that it started did not come to its end
 * - `rate`: too many requests a second
 * - `not-reading`: it asks and does not read the answers
 * - `proxy-header`: a trusted proxy sent no PROXY header, or a malformed one
 * - `tls`: no TLS handshake in time, or a failed one
 * - `displaced`: the server was full, and it had never asked anything
 * - `closed`: the server was closed, or its time for draining was over
 */
export type ResetReason = 'not-stun' | 'message-timeout' | 'rate' | 'not-reading' | 'proxy-header' | 'tls' | 'displaced' | 'closed'

/**
 * What the clients of one listener have in common
 */
export interface ClientHost {
  readonly limits: Limits

  /**
   * Where clients are sent to while the server drains
   */
  readonly alternates: Endpoint[]

  onReaction(client: ClientConnection, outcome: 'success' | 'ignore' | 300 | 400 | 420): void
  reset(client: ClientConnection, reason: ResetReason, err?: Error): void
}

/**
 * Answers are collected here, then written at once. The kernel takes them nearly
 * always; when it does not, they keep this buffer and the next ones get another.
 */
const SCRATCH_LENGTH = 16_384
const NOTHING = new Uint8Array(0)
let scratch = Buffer.allocUnsafeSlow(SCRATCH_LENGTH)

/**
 * Answer the requests of one client until it closes. An idle one costs nothing
 * but this object: there are thousands.
 */
export class ClientConnection {
  readonly socket: Socket

  /**
   * What was accepted: `socket` itself, or what is below its TLS
   */
  readonly raw: Socket
  readonly endpoint: Endpoint
  readonly responder: Responder
  private readonly host: ClientHost
  private readonly rate: RateLimit

  /**
   * While a message is not complete
   */
  private decoder?: MessageDecoder

  /**
   * Ends the wait for the rest of a message, or for answers to be read
   */
  private endWait?: () => void

  constructor (socket: Socket, raw: Socket, endpoint: Endpoint, responder: Responder, host: ClientHost) {
    this.socket = socket
    this.raw = raw
    this.endpoint = endpoint
    this.responder = responder
    this.host = host
    this.rate = new RateLimit(host.limits.maxRequestsPerSecond)

    onBytes(socket, chunk => { this.receive(chunk) })
    // the client has sent all it will: half-open, so that its answers still go out
    socket.on('end', endSocket)
  }

  receive (chunk: Uint8Array): void {
    const now = performance.now()
    let length = 0
    let offset = 0
    let completed = false
    let reset: { reason: ResetReason, err?: Error } | undefined

    try {
      // the fast way, for a request without attributes in one piece
      while (this.decoder == null && this.host.alternates.length === 0 && isBareRequest(chunk, offset)) {
        if (!this.rate.take(now)) {
          reset = { reason: 'rate' }
          break
        }

        if (length + this.responder.bareLength > scratch.byteLength) {
          this.send(length)
          length = 0
        }

        length = this.responder.writeBare(chunk, offset, this.endpoint, scratch, length)
        offset += HEADER_LENGTH
        completed = true
        this.host.onReaction(this, 'success')
      }

      if (reset == null && offset < chunk.byteLength) {
        this.decoder ??= new MessageDecoder(this.host.limits)

        for (const bytes of this.decoder.decode(chunk.subarray(offset))) {
          if (!this.rate.take(now)) {
            reset = { reason: 'rate' }
            break
          }

          completed = true
          const reaction = this.responder.respond(bytes, this.endpoint, this.host.alternates)
          length = this.append(reaction, length)
          this.host.onReaction(this, reaction.type === 'ignore' ? 'ignore' : reaction.outcome)
        }
      }
    } catch (err: any) {
      reset = { reason: 'not-stun', err }
    }

    // what was asked before gets its answer, however the bytes were cut
    this.send(length)

    if (reset != null) {
      this.host.reset(this, reset.reason, reset.err)
    } else {
      this.watch(completed)
    }
  }

  private append (reaction: Reaction, length: number): number {
    if (reaction.type === 'ignore') {
      return length
    }

    if (length + reaction.bytes.byteLength > scratch.byteLength) {
      this.send(length)
      length = 0
    }

    scratch.set(reaction.bytes, length)

    return length + reaction.bytes.byteLength
  }

  private send (length: number): void {
    if (length === 0) {
      return
    }

    this.socket.write(scratch.subarray(0, length))

    if (this.socket.writableLength > 0) {
      scratch = Buffer.allocUnsafeSlow(SCRATCH_LENGTH)
    }
  }

  /**
   * See that a started message comes to its end in time, and that answers are read
   */
  private watch (completed: boolean): void {
    const { limits } = this.host
    const partial = this.decoder?.bufferedLength ?? 0

    if (this.socket.writableLength > limits.maxUnsentLength) {
      // a client that asks and never reads must not fill our memory
      this.socket.pause()
      this.startTimer('not-reading')
      // called when all that was written before has gone out
      this.socket.write(NOTHING, err => {
        this.stopTimer()

        if (err == null) {
          this.socket.resume()
          this.watch(true)
        }
      })
    } else if (partial === 0) {
      this.decoder = undefined
      this.stopTimer()
    } else if (this.endWait == null || completed) {
      // from its first byte: not again for each of its bytes
      this.startTimer('message-timeout')
    }
  }

  private startTimer (reason: 'message-timeout' | 'not-reading'): void {
    this.stopTimer()
    const timer = setTimeout(() => { this.host.reset(this, reason) }, this.host.limits.messageTimeout)
    const onClose = (): void => { clearTimeout(timer) }
    this.socket.on('close', onClose)
    this.endWait = () => {
      clearTimeout(timer)
      this.socket.off('close', onClose)
    }
  }

  private stopTimer (): void {
    this.endWait?.()
    this.endWait = undefined
  }
}

function endSocket (this: Socket): void {
  this.end()
}
