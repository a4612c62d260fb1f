import os from 'node:os'
import { isLoopbackHost } from './mapping/external-address.ts'
import type { Socket } from 'node:net'

/**
 * A port that a listener has, and that others may share
 */
export interface SharedPort {
  /**
   * The address that is listened on, may be the unspecified one
   */
  host: string
  port: number
  family: 4 | 6
}

const UNSPECIFIED = ['0.0.0.0', '::']

/**
 * The ports of this transport's listeners, and the connections that hosts have
 * with it: what decides where a dial leaves from
 */
export class SharedPorts {
  private readonly ports = new Set<SharedPort>()
  private readonly outbound = new Map<Socket, number>()
  private readonly hosts = new Map<Socket, string>()

  add (port: SharedPort): void {
    this.ports.add(port)
  }

  delete (port: SharedPort): void {
    this.ports.delete(port)
  }

  /**
   * Remember a connected socket until it closes
   */
  track (socket: Socket, direction: 'inbound' | 'outbound'): void {
    if (socket.remoteAddress == null || socket.localPort == null) {
      return
    }

    this.hosts.set(socket, socket.remoteAddress)

    if (direction === 'outbound') {
      this.outbound.set(socket, socket.localPort)
    }

    socket.once('close', () => {
      this.hosts.delete(socket)
      this.outbound.delete(socket)
    })
  }

  /**
   * Whether a connection that was dialled from this port lives
   */
  isHeld (port: number): boolean {
    return [...this.outbound.values()].includes(port)
  }

  /**
   * Whether there is a direct connection with a host
   */
  isConnectedTo (host: string): boolean {
    return [...this.hosts.values()].includes(host)
  }

  /**
   * The port to dial a host from, if there is one that can reach it
   */
  find (remote: { host: string, port: number, family: 4 | 6 }): SharedPort | undefined {
    const loopback = isLoopbackHost(remote.host)
    const [port] = [...this.ports]
      .filter(({ family, host }) => family === remote.family && (UNSPECIFIED.includes(host) || isLoopbackHost(host) === loopback))
      .sort((a, b) => Number(UNSPECIFIED.includes(b.host)) - Number(UNSPECIFIED.includes(a.host)))

    // from a port to the same port of the same host TCP connects to itself
    if (port?.port === remote.port && (loopback || isOwnAddress(remote.host))) {
      return
    }

    return port
  }
}

function isOwnAddress (host: string): boolean {
  return Object.values(os.networkInterfaces()).some(addresses => addresses?.some(({ address }) => address === host))
}
