import { isIPv6 } from 'node:net'
import { assertPortFree, bindSocket } from 'libp2p-tcp-stun/net'
import type { BoundSocket } from 'libp2p-tcp-stun/net'
import type { STUNServerAddress, STUNTransport } from 'libp2p-tcp-stun/server'

/**
 * Ports that are bound but not listened on: no other program gets them while a worker
 * is replaced
 */
export class HeldPorts {
  public addresses: STUNServerAddress[] = []
  private sockets: BoundSocket[] = []

  /**
   * Hold a port, and learn its number when the system chooses it
   *
   * @throws the system's error
   */
  hold (transport: STUNTransport, host: string, port: number): void {
    const options = { host, port, ipv6Only: isIPv6(host) }
    assertPortFree(options)
    const socket = bindSocket(options)
    this.sockets.push(socket)
    this.addresses.push({ host: socket.host, port: socket.port, transport })
  }

  release (): void {
    this.sockets.forEach(socket => { socket.close() })
    this.sockets = []
    this.addresses = []
  }
}
