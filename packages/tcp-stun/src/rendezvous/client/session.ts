import { anySignal } from 'any-signal'
import { Message } from '../pb/rendezvous.ts'
import { sleep } from '../sleep.ts'
import { FormFinder, RefusedError, register, unregister } from './registration.ts'
import { RequestStream } from './request-stream.ts'
import type { RendezvousClientComponents } from './components.ts'
import type { DiscoveredPeers } from './discovered-peers.ts'
import type { RegisteredEvent } from './index.ts'
import type { OwnRecord } from './own-record.ts'
import type { Connection, Logger } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

const { MessageType, ResponseStatus } = Message

/**
 * How long a server may take to be connected to, in ms
 */
const CONNECT_TIMEOUT = 10_000

/**
 * How long a server is asked to wait for something new, in ms
 */
const WAIT = 30_000

/**
 * How many registrations an answer may have: each takes a signature to verify
 */
const PAGE = 200

/**
 * How long to wait before the next connection to a server that was lost, in ms: doubled each
 * time, with jitter. It stays short, so that a server that comes back is found soon.
 */
const MIN_RETRY = 250
const MAX_RETRY = 3_000

/**
 * How long to wait after a server has refused, in ms
 */
const REFUSED_RETRY = 30_000

/**
 * What keeps the connection when the connection manager must close some
 */
const TAG = { 'tcp-stun-rendezvous': { value: 100 } }

export interface SessionInit {
  components: RendezvousClientComponents
  namespaces: string[]
  ttl: number
  pollInterval: number
  legacyRecords: boolean
  record: OwnRecord
  peers: DiscoveredPeers
  log: Logger
  onRegistered(event: RegisteredEvent): void
  onFailure(addresses: Multiaddr[], error: Error): void
}

/**
 * What this node does with one server: stay connected, stay registered, read what is new
 */
export class Session {
  private readonly init: SessionInit
  private readonly forms = new FormFinder()
  private readonly cookies = new Map<string, Uint8Array<ArrayBuffer>>()
  private connection?: Connection

  /**
   * Of the server
   */
  addresses: Multiaddr[]

  /**
   * Since this node was last registered
   */
  private failures = 0

  constructor (addresses: Multiaddr[], init: SessionInit) {
    this.addresses = addresses
    this.init = init
  }

  /**
   * Go on until the signal aborts. Never throws.
   */
  async run (signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.connect(signal)
      } catch (err: any) {
        if (signal.aborted) {
          return
        }

        this.failures++
        const log = this.failures === 1 ? this.init.log : this.init.log.trace
        log('server %a failed - %e', this.addresses[0], err)
        this.init.onFailure(this.addresses, err)
        await sleep(retryDelay(err, this.failures), signal)
      }
    }
  }

  /**
   * Take the registrations back, if the server is connected
   */
  async unregister (signal: AbortSignal): Promise<void> {
    const { connection } = this

    if (connection?.status === 'open') {
      await Promise.all(this.init.namespaces.map(async namespace => unregister(connection, namespace, signal)))
    }
  }

  /**
   * Use a connection until it is closed or something fails
   */
  private async connect (signal: AbortSignal): Promise<never> {
    const { addresses, init: { components, namespaces } } = this
    const limited = anySignal([signal, AbortSignal.timeout(CONNECT_TIMEOUT)])
    const connection = await components.connectionManager.openConnection(addresses, { signal: limited })
      .finally(() => { limited.clear() })
    const ended = new AbortController()
    const end = (): void => { ended.abort(new Error('The connection was closed')) }
    const lifetime = anySignal([signal, ended.signal])
    this.connection = connection
    connection.addEventListener('close', end)

    try {
      await components.peerStore.merge(connection.remotePeer, { tags: TAG }, { signal: lifetime })

      return await Promise.race([
        this.keepRegistered(connection, lifetime),
        ...namespaces.map(async namespace => this.follow(connection, namespace, lifetime))
      ])
    } finally {
      // what is still running ends
      end()
      lifetime.clear()
      connection.removeEventListener('close', end)
    }
  }

  private async keepRegistered (connection: Connection, signal: AbortSignal): Promise<never> {
    while (true) {
      const changed = new AbortController()
      const forget = this.init.record.onChange(() => { changed.abort() })
      const next = anySignal([signal, changed.signal])

      try {
        const ttl = await this.registerAll(connection, signal)
        this.failures = 0
        await sleep(ttl * 500, next)
      } finally {
        forget()
        next.clear()
      }

      signal.throwIfAborted()
    }
  }

  /**
   * @returns how long the shortest registration lasts, in s
   */
  private async registerAll (connection: Connection, signal: AbortSignal): Promise<number> {
    let shortest = this.init.ttl

    if (!this.init.record.exists) {
      // it is called again when there is an address
      return shortest
    }

    for (const namespace of this.init.namespaces) {
      const ttl = await this.forms.register(async form => this.register(connection, namespace, form, signal))

      if (this.init.legacyRecords) {
        await this.register(connection, namespace, 'legacy', signal)
      }

      shortest = Math.min(shortest, ttl)
    }

    return shortest
  }

  private async register (
    connection: Connection,
    namespace: string,
    form: 'standard' | 'legacy',
    signal: AbortSignal
  ): Promise<number> {
    const record = await this.init.record.seal(form)
    const send = async (): Promise<number> => register(connection, namespace, record, this.init.ttl, signal)
    const ttl = await send().catch(async err => {
      if (err.status !== ResponseStatus.E_INVALID_SIGNED_PEER_RECORD) {
        throw err
      }

      // our clock may have been set back since we registered a record with a larger number
      await unregister(connection, namespace, signal)

      return send()
    })
    this.init.onRegistered({ server: connection.remotePeer, namespace, ttl })

    return ttl
  }

  /**
   * Read what is new in a namespace, again and again
   */
  private async follow (connection: Connection, namespace: string, signal: AbortSignal): Promise<never> {
    const stream = new RequestStream(connection)

    try {
      while (true) {
        const start = performance.now()
        const news = await this.discover(stream, namespace, signal)

        // a server that has waited is asked again at once, and one that may have more
        if (!news && performance.now() - start < WAIT / 2) {
          await sleep(this.init.pollInterval, signal)
          signal.throwIfAborted()
        }
      }
    } catch (err: any) {
      stream.abort(err)
      throw err
    }
  }

  /**
   * @returns whether there was anything new
   */
  private async discover (stream: RequestStream, namespace: string, signal: AbortSignal): Promise<boolean> {
    const { discoverResponse } = await stream.ask({
      type: MessageType.DISCOVER,
      discover: { ns: namespace, cookie: this.cookies.get(namespace), limit: BigInt(PAGE), wait: WAIT }
    }, signal, WAIT)

    if (discoverResponse?.status !== ResponseStatus.OK) {
      this.cookies.delete(namespace)
      throw new RefusedError(discoverResponse?.status, discoverResponse?.statusText)
    }

    let news = false

    for (const { ns, signedPeerRecord } of discoverResponse.registrations) {
      if (ns === namespace && signedPeerRecord != null && await this.add(signedPeerRecord, signal)) {
        news = true
      }
    }

    if (discoverResponse.cookie != null) {
      this.cookies.set(namespace, discoverResponse.cookie)
    }

    return news
  }

  private async add (record: Uint8Array, signal: AbortSignal): Promise<boolean> {
    try {
      return await this.init.peers.add(record, signal)
    } catch (err: any) {
      signal.throwIfAborted()
      this.init.log.trace('ignored a registration - %e', err)

      return false
    }
  }
}

function retryDelay (err: Error, failures: number): number {
  const delay = err.name === 'RefusedError' ? REFUSED_RETRY : Math.min(MIN_RETRY * 2 ** (failures - 1), MAX_RETRY)

  return delay * (0.5 + Math.random() / 2)
}
