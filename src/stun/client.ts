import { AbortError, InvalidParametersError, NotStartedError } from '@libp2p/interface'
import { TypedEventEmitter } from 'main-event'
import { raceSignal } from 'race-signal'
import { formatEndpoint } from '../address/endpoint.ts'
import { systemClock } from '../runtime/clock.ts'
import { readResult, verifyAnswer } from './binding-result.ts'
import { DEFAULT_TIMEOUT } from './client-init.ts'
import {
  assertTrusted, connectError, describeError, isSystemError, localEndpoint, openSocket, resetClientSocket
} from './client-socket.ts'
import { MessageDecoder } from './decoder.ts'
import { STUNConnectionError, STUNProtocolError, STUNTimeoutError } from './errors.ts'
import { shortTermKey } from './integrity.ts'
import { METHOD_BINDING, createTransactionId, decodeMessage, encodeMessage } from './message.ts'
import { otherProtocol } from './other-protocol.ts'
import { MAX_ABANDONED, Transactions } from './transactions.ts'
import type { BindingResult } from './binding-result.ts'
import type { STUNClientInit } from './client-init.ts'
import type { ClientSocket } from './client-socket.ts'
import type { STUNMessage } from './message.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { Clock } from '../runtime/clock.ts'
import type { AbortOptions } from '@libp2p/interface'
import type net from 'node:net'

export interface STUNClientEvents {
  /**
   * The connection ended, with the reason
   */
  close: CustomEvent<Error>
}

/**
 * A caller that waits for an answer
 */
interface Request {
  sent: number
  resolve(result: BindingResult): void
  reject(err: Error): void
}

type State =
  { name: 'idle' } |
  { name: 'connecting', end(reason: Error): void } |
  { name: 'open', connection: ClientSocket } |
  { name: 'closed', reason: Error }

/**
 * A client of one STUN server over TCP or TLS (RFC 8489, section 6.2.2). It has one
 * connection, which it keeps until one of both sides ends it. Every request asks
 * for the mapped address again and refreshes the mapping of the NAT.
 *
 * @example
 *
 * ```TypeScript
 * import { STUNClient } from 'libp2p-tcp-stun/stun'
 *
 * const client = new STUNClient({ server: { host: '192.0.2.1', port: 3478 } })
 * await client.connect()
 * const { mapped } = await client.request()
 * client.close()
 * ```
 */
export class STUNClient extends TypedEventEmitter<STUNClientEvents> {
  public readonly server: Endpoint
  private readonly init: STUNClientInit
  private readonly integrityKey?: Uint8Array
  private readonly timeout: number
  private readonly clock: Clock
  private readonly decoder = new MessageDecoder()
  private readonly transactions = new Transactions<Request>()
  private state: State = { name: 'idle' }

  constructor (init: STUNClientInit) {
    super()

    this.init = init
    this.server = init.server
    this.integrityKey = init.credential == null ? undefined : shortTermKey(init.credential.password)
    this.timeout = init.timeout ?? DEFAULT_TIMEOUT
    this.clock = init.clock ?? systemClock
  }

  /**
   * Why the connection ended, `undefined` while it lives
   */
  get endReason (): Error | undefined {
    return this.state.name === 'closed' ? this.state.reason : undefined
  }

  /**
   * Connect to the server. A client connects once.
   *
   * @throws {STUNConnectionError} the connection failed; the system's error is its `cause`
   * @throws {STUNCertificateError} the server's certificate is not trusted
   * @throws {STUNProtocolError} the server does not speak TLS
   * @throws {InvalidParametersError} `connect` was called before
   * @throws {STUNTimeoutError} the server did not answer in time
   * @throws {AbortError} the signal was aborted
   */
  async connect (options: AbortOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()

    if (this.state.name !== 'idle') {
      throw new InvalidParametersError('A STUNClient connects once')
    }

    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.state = { name: 'connecting', end: reject }
    const timer = this.clock.setTimeout(() => {
      reject(new STUNTimeoutError(`${this} did not accept a connection within ${this.timeout} ms`))
    }, this.timeout)
    let connection: ClientSocket | undefined

    try {
      connection = openSocket(this.init)
      const { socket } = connection
      this.endWith(socket)
      socket.once(this.init.tls == null ? 'connect' : 'secureConnect', resolve)

      await raceSignal(promise, options.signal)
      assertTrusted(connection, this.toString())
      this.opened(connection)
    } catch (err: any) {
      if (connection != null) {
        resetClientSocket(connection)
      }

      const reason = isSystemError(err) ? connectError(this.toString(), err) : err
      this.closed(reason instanceof Error ? reason : new AbortError())
      throw reason
    } finally {
      timer.clear()
    }
  }

  /**
   * Ask for the mapped address. Requests may overlap.
   *
   * @throws {STUNTimeoutError} the server did not answer in time
   * @throws {STUNErrorResponseError} the server answered with an error
   * @throws {STUNProtocolError} the server sent what RFC 8489 does not allow; the connection is closed
   * @throws {STUNConnectionError} the connection ended
   * @throws {NotStartedError} `connect` has not succeeded yet
   * @throws {AbortError} the signal was aborted
   */
  async request (options: AbortOptions = {}): Promise<BindingResult> {
    options.signal?.throwIfAborted()

    if (this.state.name === 'closed') {
      throw this.state.reason
    }

    if (this.state.name !== 'open') {
      throw new NotStartedError('The STUNClient is not connected yet')
    }

    const { credential } = this.init
    const transactionId = createTransactionId()
    const { promise, resolve, reject } = Promise.withResolvers<BindingResult>()
    const timer = this.clock.setTimeout(() => {
      reject(new STUNTimeoutError(`${this} did not answer within ${this.timeout} ms`))
    }, this.timeout)
    const transaction = this.transactions.add(transactionId, { sent: this.clock.now(), resolve, reject })

    try {
      const attributes = credential == null ? [] : [{ type: 'USERNAME' as const, value: credential.username }]
      const request = { class: 'request' as const, method: METHOD_BINDING, transactionId, attributes }
      this.state.connection.socket.write(encodeMessage(request, { integrityKey: this.integrityKey }))

      return await raceSignal(promise, options.signal)
    } finally {
      timer.clear()

      if (this.transactions.abandon(transaction)) {
        this.end(new STUNTimeoutError(`${this} did not answer the last ${MAX_ABANDONED} requests that were given up`))
      }
    }
  }

  /**
   * Reset the connection: a close would leave the local port in TIME_WAIT, and
   * the same server could not be asked again from it for a minute
   */
  close (): void {
    this.end(new STUNConnectionError('The STUNClient was closed'))
  }

  /**
   * Change the time after which the system sends a TCP keep-alive probe, see
   * `keepAlive` of the options
   */
  setKeepAlive (ms: number): void {
    if (this.state.name === 'open') {
      this.state.connection.raw.setKeepAlive(ms >= 1_000, ms)
    }
  }

  toString (): string {
    return `${this.init.tls == null ? 'STUN' : 'STUNS'} server ${formatEndpoint(this.server)}`
  }

  /**
   * Not within `connect`: these functions would keep its variables for as long as the
   * socket lives
   */
  private endWith (socket: net.Socket): void {
    socket.on('error', err => {
      this.end(this.state.name === 'connecting'
        ? connectError(this.toString(), err)
        : new STUNConnectionError(`The connection to ${this} failed: ${describeError(err)}`, { cause: err }))
    })
    socket.on('end', () => { this.end(new STUNConnectionError(`${this} ended the connection`)) })
    socket.on('close', () => { this.end(new STUNConnectionError(`${this} closed the connection`)) })
  }

  private opened (connection: ClientSocket): void {
    const { socket } = connection
    this.state = { name: 'open', connection }
    socket.on('data', chunk => { this.onData(chunk) })

    // ended between the connect event and now
    if (socket.destroyed) {
      this.end(new STUNConnectionError(`${this} closed the connection`))
    }
  }

  private onData (chunk: Uint8Array): void {
    try {
      for (const bytes of this.decoder.decode(chunk)) {
        this.onMessage(bytes)

        if (this.state.name !== 'open') {
          return
        }
      }
    } catch (err: any) {
      const what = otherProtocol(chunk) ?? err.message
      this.end(new STUNProtocolError(`${this} does not speak STUN: ${what}`, { cause: err }))
    }
  }

  /**
   * @throws {STUNProtocolError} it is not a message
   */
  private onMessage (bytes: Uint8Array): void {
    const message = decodeMessage(bytes)
    const received = this.transactions.receive(message)

    if (received.type === 'violation') {
      this.end(new STUNProtocolError(`${this} ${received.why}`))
    } else if (received.type === 'answer') {
      this.onAnswer(received.request, message, bytes)
    }
  }

  private onAnswer ({ sent, resolve, reject }: Request, message: STUNMessage, bytes: Uint8Array): void {
    const local = this.state.name === 'open' ? localEndpoint(this.state.connection) : undefined

    try {
      verifyAnswer(message, bytes, this.toString(), this.integrityKey)
      resolve(readResult(message, this.toString(), local, this.clock.now() - sent))
    } catch (err: any) {
      reject(err)

      if (err instanceof STUNProtocolError) {
        this.end(err)
      }
    }
  }

  private end (reason: Error): void {
    if (this.state.name === 'connecting') {
      this.state.end(reason)
      return
    }

    if (this.state.name === 'open') {
      resetClientSocket(this.state.connection)
    }

    this.closed(reason)
  }

  private closed (reason: Error): void {
    if (this.state.name === 'closed') {
      return
    }

    this.state = { name: 'closed', reason }

    for (const { reject } of this.transactions.clear()) {
      reject(reason)
    }

    this.safeDispatchEvent('close', { detail: reason })
  }
}
