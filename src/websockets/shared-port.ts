import { isIP } from 'node:net'
import { InvalidParametersError } from '@libp2p/interface'
import { resetSocket } from '../net/reset-socket.ts'
import { startTLS } from '../net/start-tls.ts'
import { systemClock } from '../runtime/clock.ts'
import { Certificates } from './certificates.ts'
import { webSocketToMultiaddrConnection } from './connection.ts'
import { DEFAULT_MAX_MESSAGE_SIZE, FIRST_BYTES_TIMEOUT, TLS_TIMEOUT } from './constants.ts'
import { Deadlines } from './deadlines.ts'
import { HTTPPort } from './http-port.ts'
import { createSniff } from './sniff.ts'
import type { AutoTLSCertificate } from './auto-tls.ts'
import type { WebSocketConnectionInit } from './connection.ts'
import type { WebSocketsOptions } from './options.ts'
import type { Protocol, Sniff } from './sniff.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger, MultiaddrConnection } from '@libp2p/interface'
import type { Socket } from 'node:net'
import type { WebSocketServer } from 'ws'

export interface SharedPortInit {
  options: WebSocketsOptions
  autoTLS: AutoTLSCertificate

  /**
   * The connections of the node are encrypted with a key of a private network
   */
  isPrivate: boolean
  log: Logger

  /**
   * @default the system's
   */
  clock?: Clock

  /**
   * A connection that carries libp2p, with what it has sent so far
   */
  onLibp2p(socket: Socket, received: Uint8Array): void

  /**
   * What all connections have in common
   */
  connectionInit: Pick<WebSocketConnectionInit, 'metrics' | 'direction' | 'log' | 'inactivityTimeout' | 'localAddr'>

  /**
   * A WebSocket is open
   *
   * @param stream - what it writes to: the TCP connection, or the TLS session over it
   * @param create - the libp2p connection; throws when the socket has closed meanwhile
   */
  onWebSocket(stream: Socket, create: () => MultiaddrConnection): void

  /**
   * From now on the port takes TLS connections
   */
  onSecure(): void
}

/**
 * Finds out by their first bytes which of several protocols connections carry that a
 * listener has accepted
 */
export class SharedPort {
  private readonly init: SharedPortInit
  private readonly sniff: Sniff
  private readonly certificates: Certificates
  private readonly http: HTTPPort
  private readonly silent: Deadlines<Socket>

  /**
   * What has arrived of connections that have not sent enough yet
   */
  private readonly received = new WeakMap<Socket, Uint8Array>()

  constructor (init: SharedPortInit, webSocketServer: WebSocketServer) {
    const { options, log, clock = systemClock } = init

    this.init = init
    this.sniff = createSniff({ isPrivate: init.isPrivate, hasSTUN: options.onSTUN != null })
    this.silent = new Deadlines<Socket>({ clock, time: FIRST_BYTES_TIMEOUT, onExpire: resetSocket })
    this.certificates = new Certificates({
      certificate: options.certificate,
      autoTLS: init.autoTLS,
      clock,
      log,
      onFirst: init.onSecure
    })
    this.http = new HTTPPort({
      options,
      webSocketServer,
      clock,
      log,
      isOwnHost: name => this.isOwnHost(name),
      onWebSocket: (webSocket, stream) => {
        init.onWebSocket(stream, () =>
          webSocketToMultiaddrConnection({ ...init.connectionInit, webSocket, socket: stream }))
      }
    })
  }

  /**
   * Whether there is a certificate
   */
  get isSecure (): boolean {
    return this.certificates.context != null
  }

  /**
   * @throws {InvalidParametersError} the certificate of the options cannot be used
   */
  async open (): Promise<void> {
    await this.certificates.open()
  }

  /**
   * Take over a connection that has just been accepted
   */
  accept (socket: Socket): void {
    this.silent.start(socket)
    socket.on('data', this.onData)
    socket.on('error', ignore)
    socket.once('close', this.onClose)
  }

  close (): void {
    this.certificates.close()
    this.silent.clear()
    this.http.close()
  }

  /**
   * One function for all sockets, so that one that waits costs no memory for its own
   */
  private readonly onData = createSocketHandler((socket, chunk: Uint8Array) => {
    const before = this.received.get(socket)
    const received = before == null ? chunk : Buffer.concat([before, chunk])
    const protocol = this.sniff(received)

    if (protocol == null) {
      this.received.set(socket, received)
      return
    }

    this.release(socket)
    this.route(socket, protocol, received)
  })

  private readonly onClose = createSocketHandler(socket => { this.release(socket) })

  private release (socket: Socket): void {
    this.silent.stop(socket)
    this.received.delete(socket)
    socket.off('data', this.onData)
    socket.off('close', this.onClose)
  }

  private route (socket: Socket, protocol: Protocol, received: Uint8Array): void {
    if (protocol === 'libp2p') {
      this.init.onLibp2p(socket, received)
      socket.off('error', ignore)
      return
    }

    // whoever takes over reads it again
    socket.pause()
    socket.unshift(received)

    switch (protocol) {
      case 'http':
        this.http.accept(socket)
        socket.resume()
        break
      case 'tls':
        this.secure(socket).catch(err => { this.init.log.error('TLS failed - %e', err) })
        break
      default:
        this.init.options.onSTUN?.(socket)
    }
  }

  private async secure (socket: Socket): Promise<void> {
    const { context: secureContext } = this.certificates

    if (secureContext == null) {
      this.init.log('refusing a TLS connection, there is no certificate yet')
      resetSocket(socket)
      return
    }

    const { stream, secured } = startTLS(socket, {
      secureContext,
      ALPNProtocols: ['http/1.1'],
      timeout: TLS_TIMEOUT,
      onError: err => {
        this.init.log('TLS with %s failed - %e', socket.remoteAddress, err)
        stream.destroy()
      }
    })

    if (await secured) {
      this.http.accept(stream)
    }
  }

  /**
   * No page can have a name point here but these (DNS rebinding)
   */
  private isOwnHost (name: string): boolean {
    return (
      name === 'localhost' ||
      isIP(name.replace(/^\[|\]$/g, '')) !== 0 ||
      this.init.options.hosts?.includes(name) === true ||
      this.certificates.isFor(name)
    )
  }
}

/**
 * @throws {InvalidParametersError} the package `ws` is not installed, or the certificate of
 * the options cannot be used
 */
export async function createSharedPort (init: SharedPortInit): Promise<SharedPort> {
  const { WebSocketServer } = await import('ws').catch(err => {
    throw new InvalidParametersError(`The option webSockets needs the package ws: npm install ws (${err.message})`)
  })

  const port = new SharedPort(init, new WebSocketServer({
    noServer: true,
    clientTracking: false,
    // a few bytes could become gigabytes, and what is encrypted does not get smaller
    perMessageDeflate: false,
    maxPayload: init.options.maxMessageSize ?? DEFAULT_MAX_MESSAGE_SIZE
  }))
  await port.open()

  return port
}

function createSocketHandler<A extends any[]> (handle: (socket: Socket, ...args: A) => void) {
  return function (this: Socket, ...args: A): void { handle(this, ...args) }
}

function ignore (): void {}
