import net from 'node:net'
import { pEvent } from 'p-event'
import { bindSocket } from '../net/bound-socket.ts'
import type { STUNTransport } from './options.ts'
import type { Responders } from './responders.ts'
import type { Endpoint } from '../address/endpoint.ts'

const BACKLOG = 4_096

export interface ListenerInit {
  endpoint: Endpoint
  transport: STUNTransport
  responders: Responders

  /**
   * TCP probes a connection after it was idle for this long, in ms
   */
  keepAliveDelay: number

  /**
   * Whether other processes share the port
   */
  reusePort: boolean
  onConnection(socket: net.Socket): void
}

/**
 * Accepts connections on one address and port
 */
export class Listener {
  readonly server: net.Server
  readonly transport: STUNTransport
  readonly responders: Responders

  /**
   * Resolves once it listens
   *
   * @throws the system's error
   */
  readonly ready: Promise<unknown>
  private readonly requested: Endpoint

  constructor ({
    endpoint: { host, port },
    transport,
    responders,
    keepAliveDelay,
    reusePort,
    onConnection
  }: ListenerInit) {
    this.requested = { host, port }
    this.transport = transport
    this.responders = responders
    this.server = net.createServer(
      { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveDelay },
      onConnection
    )
    this.ready = pEvent(this.server, 'listening')
    // whoever awaits it gets the error
    this.ready.catch(() => {})

    const ipv6Only = net.isIPv6(host)

    if (reusePort) {
      bindSocket({ host, port, ipv6Only }).listen(this.server, { backlog: BACKLOG })
    } else {
      this.server.listen({ host, port, ipv6Only, backlog: BACKLOG })
    }
  }

  /**
   * Where it listens, with the real port
   */
  get endpoint (): Endpoint {
    const address = this.server.address() as net.AddressInfo | null

    return address == null ? this.requested : { host: address.address, port: address.port }
  }

  /**
   * Accept no more connections
   *
   * @returns once those that are open have ended
   */
  async close (): Promise<void> {
    // a server that does not listen yet cannot be closed
    await this.ready.catch(() => {})
    await new Promise<void>(resolve => { this.server.close(() => { resolve() }) })
  }
}
