import { isIPv6 } from 'node:net'
import os from 'node:os'
import { TypedEventEmitter } from 'main-event'
import { isGlobal, isLoopback, isUnspecified } from '../address/scope.ts'
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

/**
 * One connection is enough to hold a mapping, and two while one of them ends
 */
const HOLDERS = 2

/**
 * Where a dialled socket left from. A socket forgets it when it closes.
 */
interface Local {
  host: string
  port: number
}

export interface SharedPortsEvents {
  /**
   * A listener has closed
   */
  delete: CustomEvent<SharedPort>
}

/**
 * The ports of this transport's listeners, and the connections that hosts have
 * with it: what decides where a dial leaves from
 */
export class SharedPorts extends TypedEventEmitter<SharedPortsEvents> {
  private readonly ports = new Set<SharedPort>()
  private readonly inbound = new Set<Socket>()
  private readonly outbound = new Map<Socket, Local>()

  /**
   * How many connections there are with each host
   */
  private readonly hosts = new Map<string, number>()

  add (port: SharedPort): void {
    this.ports.add(port)
  }

  has (port: SharedPort): boolean {
    return this.ports.has(port)
  }

  delete (port: SharedPort): void {
    this.ports.delete(port)
    this.safeDispatchEvent('delete', { detail: port })
  }

  /**
   * Remember a connected socket until it closes
   */
  track (socket: Socket, direction: 'inbound' | 'outbound'): void {
    const { remoteAddress: host } = socket

    if (host == null) {
      return
    }

    // asking for the port is a system call, and there are many inbound ones
    if (direction === 'inbound') {
      this.inbound.add(socket)
    } else if (socket.localAddress != null && socket.localPort != null) {
      this.outbound.set(socket, { host: socket.localAddress, port: socket.localPort })
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
   * Let connections that were dialled from this port hold its mapping, when
   * nothing else does: they must not be silent for longer than `keepAlive` ms.
   * One to a neighbour passes no NAT; `allowPrivate` is for networks that have
   * private addresses on the other side of theirs.
   *
   * @returns whether there are any
   */
  hold (port: SharedPort, { keepAlive, allowPrivate }: { keepAlive: number, allowPrivate: boolean }): boolean {
    const holders = [...this.outbound]
      .filter(([socket, local]) => isFrom(port, local) && (allowPrivate || isGlobal(socket.remoteAddress ?? '')))
      .slice(0, HOLDERS)
    holders.forEach(([socket]) => { socket.setKeepAlive(true, keepAlive) })

    return holders.length > 0
  }

  /**
   * The listener from whose port an endpoint was dialled; none when it was dialled
   * from other ports too, for then it is not known which of them is meant
   */
  outboundPort (remote: { host: string, port: number }): SharedPort | undefined {
    const [local, ...others] = [...this.outbound]
      .filter(([{ remoteAddress, remotePort }]) => remoteAddress === remote.host && remotePort === remote.port)
      .map(([, local]) => local)

    return local == null || others.length > 0 ? undefined : [...this.ports].find(port => isFrom(port, local))
  }

  /**
   * Whether there is a direct connection with a host
   */
  isConnectedTo (host: string): boolean {
    return this.hosts.has(host)
  }

  /**
   * Whether a connection from this endpoint has come to the port
   */
  hasInbound (local: SharedPort, remote: { host: string, port: number }): boolean {
    return [...this.inbound].some(socket => socket.localPort === local.port && socket.remoteAddress === remote.host && socket.remotePort === remote.port)
  }

  /**
   * The port to dial a host from, if there is one that can reach it
   */
  find (remote: { host: string, port: number, family: 4 | 6 }): SharedPort | undefined {
    const loopback = isLoopback(remote.host)
    const [port] = [...this.ports]
      .filter(({ family, host }) => family === remote.family && (isUnspecified(host) || isLoopback(host) === loopback))
      .sort((a, b) => Number(isUnspecified(b.host)) - Number(isUnspecified(a.host)))

    // from a port to the same port of the same host TCP connects to itself
    if (port?.port === remote.port && (loopback || isOwnAddress(remote.host))) {
      return
    }

    return port
  }

  private countOf (host: string): number {
    return this.hosts.get(host) ?? 0
  }
}

/**
 * Whether something local is at the port of a listener
 */
function isFrom ({ host, port, family }: SharedPort, local: Local): boolean {
  return port === local.port && family === (isIPv6(local.host) ? 6 : 4) && (isUnspecified(host) || host === local.host)
}

function isOwnAddress (host: string): boolean {
  return Object.values(os.networkInterfaces()).some(addresses => addresses?.some(({ address }) => address === host))
}
