import type { Endpoint } from '../address/endpoint.ts'
import type { Socket } from 'node:net'

/**
 * A dialled socket. It forgets both endpoints when it closes, so they are kept here.
 */
export interface OutboundSocket {
  socket: Socket
  local: Endpoint
  remote: Endpoint
}

/**
 * The connected sockets of one transport, with the hosts at their other ends
 */
export class ConnectionTable {
  private readonly inbound = new Set<Socket>()
  private readonly outbound = new Map<Socket, OutboundSocket>()

  /**
   * How many connections there are with each host
   */
  private readonly hosts = new Map<string, number>()

  /**
   * Remember a connected socket until it closes
   */
  track (socket: Socket, direction: 'inbound' | 'outbound'): void {
    const { remoteAddress: host } = socket

    if (host == null) {
      return
    }

    if (direction === 'inbound') {
      // its ports are read when they are needed: that is a system call for each
      // of possibly many sockets
      this.inbound.add(socket)
    } else {
      const { localAddress, localPort = 0, remotePort = 0 } = socket
      this.outbound.set(socket, {
        socket,
        local: { host: localAddress ?? '', port: localPort },
        remote: { host, port: remotePort }
      })
    }

    this.hosts.set(host, this.countOf(host) + 1)

    socket.once('close', () => {
      this.inbound.delete(socket)
      this.outbound.delete(socket)

      if (this.countOf(host) > 1) {
        this.hosts.set(host, this.countOf(host) - 1)
      } else {
        this.hosts.delete(host)
      }
    })
  }

  /**
   * Whether there is a connection with a host, in either direction
   */
  isConnectedTo (host: string): boolean {
    return this.hosts.has(host)
  }

  /**
   * The connection from a remote endpoint that was accepted at a local port
   */
  findInbound (localPort: number, remote: Endpoint): Socket | undefined {
    return [...this.inbound].find(
      socket =>
        socket.localPort === localPort && socket.remoteAddress === remote.host && socket.remotePort === remote.port
    )
  }

  /**
   * The dialled sockets
   */
  listOutbound (): OutboundSocket[] {
    return [...this.outbound.values()]
  }

  private countOf (host: string): number {
    return this.hosts.get(host) ?? 0
  }
}
