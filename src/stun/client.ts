import net from 'node:net'
import tls from 'node:tls'
import { AbortError, InvalidParametersError, NotStartedError } from '@libp2p/interface'
import { TypedEventEmitter } from 'main-event'
import { raceSignal } from 'race-signal'
import { formatEndpoint } from '../address/endpoint.ts'
import { bindSocket } from '../net/bound-socket.ts'
import { resetSocket } from '../net/reset-socket.ts'
import { systemClock } from '../runtime/clock.ts'
import { readResult } from './binding-result.ts'
import { MessageDecoder } from './decoder.ts'
import { STUNConnectionError, STUNProtocolError, STUNTimeoutError } from './errors.ts'
import { checkFingerprint } from './fingerprint.ts'
import { METHOD_BINDING, createTransactionId, decodeMessage, encodeMessage, getAttribute } from './message.ts'
import type { BindingResult } from './binding-result.ts'
import type { STUNMessage } from './message.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { Clock } from '../runtime/clock.ts'
import type { AbortOptions } from '@libp2p/interface'

/**
 * How long to wait for a connection or an answer, in ms. RFC 8489 section
 * 6.2.2 waits 39.5 s; a mapping that has to be replaced can not: 5 s leave room
 * for two retransmissions by TCP.
 */
const DEFAULT_TIMEOUT = 5_000

/**
 * A server may still answer this many requests that nobody waits for any more
 */
const MAX_ABANDONED = 16

export interface STUNClientInit {
  /**
   * The server's address
   */
  server: Endpoint

  /**
   * The local address and port to connect from, which others of this process
   * may share. Without it the system chooses.
   */
  local?: Endpoint

  /**
   * Speak TLS (`stuns:`). `servername` is the name in the server's certificate.
   */
  tls?: { servername?: string } & tls.SecureContextOptions

  /**
   * How long to wait for the connection, and for each answer, in ms
   *
   * @default 5_000
   */
  timeout?: number

  /**
   * Have the system send a TCP keep-alive probe when the connection was silent
   * for so many ms, of which it takes whole seconds: it counts for a NAT as
   * well as a request does, and costs less. The connection ends when ten probes
   * in a row, a second apart, are not acknowledged.
   *
   * @default none is sent
   */
  keepAlive?: number

  clock?: Clock
}

export interface STUNClientEvents {
  /**
   * The connection ended, with the reason
   */
  close: CustomEvent<Error>
}

/**
 * A request that is not answered yet. Of one that was given up the answer may
 * still come.
 */
interface Transaction {
  key: string
  sent: number
  abandoned?: boolean
  resolve(result: BindingResult): void
  reject(err: Error): void
}

/**
 * `socket` is what is read and written, `raw` the TCP connection below its TLS,
 * or the same
 */
interface Connection {
  socket: net.Socket
  raw: net.Socket
}

type State =
  { name: 'idle' } |
  { name: 'connecting', end(reason: Error): void } |
  { name: 'open', connection: Connection } |
  { name: 'closed', reason: Error }

/**
 * One client connection to a STUN server over TCP or TLS. It is kept until one
 * of both sides ends it; every request on it asks for the mapped address again
 * and keeps the NAT's mapping alive.
 *
 * @example
 *
 * ```TypeScript
 * import { STUNClient } from 'libp2p-tcp-stun/stun'
 *
 * const binding = new STUNClient({ server: { host: '192.0.2.1', port: 3478 } })
 * await binding.connect()
 * const { mapped } = await binding.request()
 * binding.close()
 * ```
 */
export class STUNClient extends TypedEventEmitter<STUNClientEvents> {
  public readonly server: Endpoint
  private readonly init: STUNClientInit
  private readonly timeout: number
  private readonly clock: Clock
  private readonly decoder = new MessageDecoder()
  /** A few at most: not a Map, which has as many bytes as ten of them when it is empty */
  private transactions: Transaction[] = []
  private state: State = { name: 'idle' }

  constructor (init: STUNClientInit) {
    super()

    this.init = init
    this.server = init.server
    this.timeout = init.timeout ?? DEFAULT_TIMEOUT
    this.clock = init.clock ?? systemClock
  }

  /**
   * Why the connection ended, nothing while it lives
   */
  get endReason (): Error | undefined {
    return this.state.name === 'closed' ? this.state.reason : undefined
  }

  /**
   * Connect to the server
   *
   * @throws {STUNConnectionError} the connection failed, the system's error is its `cause`
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
    let connection: Connection | undefined

    try {
      connection = this.open()
      const { socket } = connection
      this.endWith(socket)
      socket.once(this.init.tls == null ? 'connect' : 'secureConnect', resolve)

      await raceSignal(promise, options.signal)
      this.checkCertificate(socket)
      this.opened(connection)
    } catch (err: any) {
      reset(connection)
      const reason = err?.syscall != null || typeof err?.code === 'string' ? new STUNConnectionError(`Could not connect to ${this}: ${describe(err)}`, { cause: err }) : err
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
   * @throws {STUNProtocolError} the server answered something else than RFC 8489 allows, the connection is closed
   * @throws {STUNConnectionError} the connection ended
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

    const transactionId = createTransactionId()
    const { promise, resolve, reject } = Promise.withResolvers<BindingResult>()
    const timer = this.clock.setTimeout(() => {
      reject(new STUNTimeoutError(`${this} did not answer within ${this.timeout} ms`))
    }, this.timeout)

    const transaction: Transaction = { key: toKey(transactionId), sent: this.clock.now(), resolve, reject }
    this.transactions.push(transaction)

    try {
      this.state.connection.socket.write(encodeMessage({
        class: 'request',
        method: METHOD_BINDING,
        transactionId,
        attributes: []
      }))

      return await raceSignal(promise, options.signal)
    } finally {
      timer.clear()
      this.abandon(transaction)
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

  private open (): Connection {
    const { server, local, tls: secure, keepAlive } = this.init
    const options = { host: server.host, port: server.port, noDelay: true }

    // what is wrong with a certificate of ours shows before anything is sent
    const secureContext = secure == null ? undefined : tls.createSecureContext(secure)
    const raw = local == null
      ? net.connect(options)
      : bindSocket({ ...local, ipv6Only: net.isIPv6(local.host) }).connect(options)

    if (keepAlive != null && keepAlive >= 1_000) {
      raw.setKeepAlive(true, keepAlive)
    }

    if (secure == null) {
      return { socket: raw, raw }
    }

    const socket = tls.connect({
      secureContext,
      socket: raw,
      host: server.host,
      // RFC 6066 has no addresses in the server name indication
      servername: secure.servername == null || net.isIP(secure.servername) !== 0 ? '' : secure.servername,
      // Node would close the connection, which leaves the port in TIME_WAIT:
      // checkCertificate resets it
      rejectUnauthorized: false
    })

    return { socket, raw }
  }

  /**
   * Apart from `connect`, whose variables these functions would keep for as long as
   * the socket lives
   */
  private endWith (socket: net.Socket): void {
    socket.on('error', err => {
      const what = this.state.name === 'connecting' ? `Could not connect to ${this}` : `The connection to ${this} failed`
      this.end(new STUNConnectionError(`${what}: ${describe(err)}`, { cause: err }))
    })
    socket.on('end', () => { this.end(new STUNConnectionError(`${this} ended the connection`)) })
    socket.on('close', () => { this.end(new STUNConnectionError(`${this} closed the connection`)) })
  }

  private checkCertificate (socket: net.Socket): void {
    if (socket instanceof tls.TLSSocket && !socket.authorized) {
      const cause = socket.authorizationError
      throw new STUNConnectionError(`The certificate of ${this} is not trusted: ${cause?.message ?? String(cause)}`, { cause })
    }
  }

  private opened (connection: Connection): void {
    const { socket } = connection
    this.state = { name: 'open', connection }
    socket.on('data', chunk => { this.onData(chunk) })

    // ended between the connect event and now
    if (socket.destroyed) {
      this.end(new STUNConnectionError(`${this} closed the connection`))
    }
  }

  /**
   * Nobody waits for its answer any more, but if it is not there it may still come
   */
  private abandon (transaction: Transaction): void {
    transaction.abandoned = true
    const abandoned = this.transactions.filter(({ abandoned }) => abandoned === true).length

    if (abandoned > MAX_ABANDONED) {
      this.end(new STUNTimeoutError(`${this} did not answer the last ${MAX_ABANDONED} requests that were given up`))
    }
  }

  private onData (chunk: Uint8Array): void {
    try {
      for (const bytes of this.decoder.decode(chunk)) {
        this.onMessage(decodeMessage(bytes), bytes)
      }
    } catch (err: any) {
      this.end(new STUNProtocolError(`${this} does not speak STUN: ${err.message}`, { cause: err }))
    }
  }

  private onMessage (message: STUNMessage, bytes: Uint8Array): void {
    if (message.class === 'indication') {
      return
    }

    const key = toKey(message.transactionId)

    const transaction = this.transactions.find(transaction => transaction.key === key)

    if (transaction?.abandoned === true) {
      this.finish(transaction)
      return
    }

    if (message.class === 'request' || message.method !== METHOD_BINDING || transaction == null) {
      throw new STUNProtocolError('it sent a message that is no answer to a request of ours (transaction id, class or method is wrong)')
    }

    if (getAttribute(message, 'FINGERPRINT') != null && !checkFingerprint(bytes)) {
      throw new STUNProtocolError('the FINGERPRINT of its answer is wrong')
    }

    this.finish(transaction)

    try {
      transaction.resolve(readResult(message, this.toString(), this.localEndpoint(), this.clock.now() - transaction.sent))
    } catch (err: any) {
      transaction.reject(err)

      if (err instanceof STUNProtocolError) {
        this.end(err)
      }
    }
  }

  private finish (transaction: Transaction): void {
    this.transactions = this.transactions.filter(other => other !== transaction)
  }

  private localEndpoint (): Endpoint | undefined {
    const raw = this.state.name === 'open' ? this.state.connection.raw : undefined

    return raw?.localAddress == null || raw.localPort == null ? undefined : { host: raw.localAddress, port: raw.localPort }
  }

  private end (reason: Error): void {
    if (this.state.name === 'connecting') {
      this.state.end(reason)
      return
    }

    if (this.state.name === 'open') {
      reset(this.state.connection)
    }

    this.closed(reason)
  }

  private closed (reason: Error): void {
    if (this.state.name === 'closed') {
      return
    }

    this.state = { name: 'closed', reason }

    for (const transaction of this.transactions) {
      transaction.reject(reason)
    }

    this.transactions = []
    this.safeDispatchEvent('close', { detail: reason })
  }
}

function reset (connection?: Connection): void {
  if (connection != null) {
    const { socket, raw } = connection
    // the error of a connection that is given up interests nobody
    socket.on('error', () => {})

    if (socket === raw) {
      resetSocket(raw)
    } else {
      // Node crashes when the connection below a TLS session is reset
      socket.destroy()
      raw.destroy()
    }
  }
}

function toKey (transactionId: Uint8Array): string {
  return Buffer.from(transactionId.buffer, transactionId.byteOffset, transactionId.byteLength).toString('latin1')
}

/**
 * An AggregateError of node:net (several addresses tried) has no message
 */
function describe (err: NodeJS.ErrnoException): string {
  return err.code != null && !err.message.includes(err.code) ? `${err.code} ${err.message}` : err.message
}
