import type { RenderedSection } from './document.ts'
import type { ServerResponse } from 'node:http'

/**
 * Who sees what of the status
 */
export type Audience = 'everybody' | 'machine'

/**
 * In ms
 */
const INTERVAL = 2_000

/**
 * How often a client whose page does not change gets a comment, so that a dead one is
 * noticed and no proxy ends the connection, in ms
 */
const HEARTBEAT = 15_000

/**
 * What may wait for a client that does not read, in bytes
 */
const MAX_BACKLOG = 256 * 1_024

export interface UpdatesInit {
  render(audience: Audience): RenderedSection[]

  /**
   * In ms
   *
   * @default 2_000
   */
  interval?: number

  /**
   * How many clients may follow, in all and from one address
   *
   * @default 100
   */
  maxClients?: number

  /**
   * @default 8
   */
  maxClientsPerAddress?: number
}

interface Client {
  response: ServerResponse
  audience: Audience
  address: string
  lastSent: number
}

/**
 * Sends the sections of the page that have changed as server-sent events. One timer and one
 * text serve all clients; without clients nothing is done.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export class Updates {
  private readonly init: Required<UpdatesInit>
  private readonly clients = new Set<Client>()

  /**
   * The versions of the sections that every client of an audience has, or newer ones
   */
  private readonly versions = new Map<Audience, Map<string, string>>()
  private timer?: NodeJS.Timeout

  constructor (init: UpdatesInit) {
    this.init = { interval: INTERVAL, maxClients: 100, maxClientsPerAddress: 8, ...init }
  }

  get size (): number {
    return this.clients.size
  }

  /**
   * Whether another client from this address may follow
   */
  admits (address: string): boolean {
    const { maxClients, maxClientsPerAddress } = this.init
    const same = [...this.clients].filter(client => client.address === address).length

    return this.clients.size < maxClients && same < maxClientsPerAddress
  }

  /**
   * Send all sections, and from now on those that change
   */
  add (response: ServerResponse, audience: Audience, address: string): void {
    const client: Client = { response, audience, address, lastSent: performance.now() }
    this.clients.add(client)
    response.on('close', () => { this.remove(client) })
    const sections = this.init.render(audience)
    response.write(eventText(sections))

    if (!this.versions.has(audience)) {
      this.versions.set(audience, versionsOf(sections))
    }

    this.timer ??= setInterval(() => { this.update() }, this.init.interval).unref()
  }

  close (): void {
    this.clients.forEach(({ response }) => { response.destroy() })
    this.clients.clear()
    this.stop()
  }

  private remove (client: Client): void {
    this.clients.delete(client)

    if (this.clients.size === 0) {
      this.stop()
    }
  }

  private stop (): void {
    clearInterval(this.timer)
    this.timer = undefined
    this.versions.clear()
  }

  private update (): void {
    for (const audience of ['everybody', 'machine'] as const) {
      const clients = [...this.clients].filter(client => client.audience === audience)

      if (clients.length > 0) {
        const changed = this.changed(audience)
        const text = changed.length === 0 ? undefined : eventText(changed)
        clients.forEach(client => { this.send(client, text) })
      }
    }
  }

  private changed (audience: Audience): RenderedSection[] {
    const sections = this.init.render(audience)
    const before = this.versions.get(audience)
    this.versions.set(audience, versionsOf(sections))

    return sections.filter(({ id, version }) => before?.get(id) !== version)
  }

  private send (client: Client, text: string | undefined): void {
    const { response } = client
    const now = performance.now()

    if (response.writableLength > MAX_BACKLOG) {
      response.destroy()
    } else if (text != null || now - client.lastSent >= HEARTBEAT) {
      client.lastSent = now
      response.write(text ?? ':\n\n')
    }
  }
}

function versionsOf (sections: RenderedSection[]): Map<string, string> {
  return new Map(sections.map(({ id, version }) => [id, version]))
}

function eventText (sections: RenderedSection[]): string {
  return `event: sections\ndata: ${JSON.stringify(sections)}\n\n`
}
