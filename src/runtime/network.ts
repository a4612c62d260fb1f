import dgram from 'node:dgram'
import { isIPv6 } from 'node:net'
import { pEvent } from 'p-event'

/**
 * The system's routes come in through this
 */
export interface Network {
  /**
   * The local address that a connection to this endpoint would have now; nothing
   * when there is no route to it
   */
  localAddress(remote: { host: string, port: number }): Promise<string | undefined>
}

/**
 * What was found out so many ms ago is still true: the mappings of a thousand
 * listeners ask for the way to the same servers
 */
const FRESH = 1_000

const known = new Map<string, { since: number, address: Promise<string | undefined> }>()

export const systemNetwork: Network = {
  async localAddress ({ host, port }) {
    const now = performance.now()

    for (const [other, { since }] of known) {
      if (now - since >= FRESH) {
        known.delete(other)
      }
    }

    const entry = known.get(host) ?? { since: now, address: findLocalAddress(host, port) }
    known.set(host, entry)

    return entry.address
  }
}

/**
 * A UDP socket that is connected has looked up its route, and sends nothing
 */
async function findLocalAddress (host: string, port: number): Promise<string | undefined> {
  const socket = dgram.createSocket(isIPv6(host) ? 'udp6' : 'udp4')

  try {
    const connected = pEvent(socket, 'connect')
    socket.connect(port, host)
    await connected

    return socket.address().address
  } catch {
    // no route
  } finally {
    socket.close()
  }
}
