import { CODE_P2P } from '@multiformats/multiaddr'
import { anySignal } from 'any-signal'
import { setMaxListeners } from 'main-event'
import { Session } from './session.ts'
import type { SessionInit } from './session.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

interface Running {
  session: Session
  end: AbortController
}

/**
 * A session with each server, as servers come and go
 */
export class Sessions {
  private readonly init: SessionInit
  private readonly running = new Map<string, Running>()

  constructor (init: SessionInit) {
    this.init = init
  }

  /**
   * How many servers there are
   */
  get size (): number {
    return this.running.size
  }

  /**
   * Use these servers from now on, until the signal aborts. A session with a server that is
   * not among them ends.
   */
  update (addresses: Multiaddr[], signal: AbortSignal): void {
    const servers = groupByPeer(addresses)

    for (const [id, { end }] of this.running) {
      if (!servers.has(id)) {
        end.abort()
        this.running.delete(id)
      }
    }

    for (const [id, addresses] of servers) {
      const running = this.running.get(id)

      if (running == null) {
        this.start(id, addresses, signal)
      } else {
        running.session.addresses = addresses
      }
    }
  }

  /**
   * Take the registrations back at every server
   */
  async unregister (signal: AbortSignal): Promise<void> {
    await Promise.allSettled([...this.running.values()].map(async ({ session }) => session.unregister(signal)))
    this.running.clear()
  }

  private start (id: string, addresses: Multiaddr[], signal: AbortSignal): void {
    const end = new AbortController()
    const ended = anySignal([signal, end.signal])
    setMaxListeners(Infinity, ended)
    const session = new Session(addresses, this.init)
    this.running.set(id, { session, end })
    void session.run(ended).finally(() => { ended.clear() })
  }
}

/**
 * The addresses of each server. Those without a peer id are a server each.
 */
function groupByPeer (addresses: Multiaddr[]): Map<string, Multiaddr[]> {
  const groups = new Map<string, Multiaddr[]>()

  for (const address of addresses) {
    const id = address.getComponents().findLast(({ code }) => code === CODE_P2P)?.value ?? address.toString()
    groups.set(id, [...groups.get(id) ?? [], address])
  }

  return groups
}
