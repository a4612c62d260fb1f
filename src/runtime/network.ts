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

export const systemNetwork: Network = {
  /**
   * A UDP socket that is connected has looked up its route, and sends nothing
   */
  async localAddress ({ host, port }) {
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
}
