import { isIPv6 } from 'node:net'
import { TypedEventEmitter } from 'main-event'
import { isUnspecified } from '../address/scope.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { AddressInfo } from 'node:net'

/**
 * The local port of a listener, which dials and STUN connections share with it
 */
export interface ListeningPort {
  /**
   * The address that the listener is bound to, possibly the unspecified one
   */
  host: string
  port: number
  family: 4 | 6
}

export interface ListeningPortsEvents {
  /**
   * A listener has closed
   */
  delete: CustomEvent<ListeningPort>
}

/**
 * The ports of one transport's listeners
 */
export class ListeningPorts extends TypedEventEmitter<ListeningPortsEvents> {
  private readonly ports = new Map<ListeningPort, { isOpen?: boolean }>()

  add (port: ListeningPort): void {
    this.ports.set(port, {})
  }

  has (port: ListeningPort): boolean {
    return this.ports.has(port)
  }

  delete (port: ListeningPort): void {
    if (this.ports.delete(port)) {
      this.safeDispatchEvent('delete', { detail: port })
    }
  }

  list (): ListeningPort[] {
    return [...this.ports.keys()]
  }

  /**
   * Whether strangers can dial the port at its local address: there is no NAT and no
   * filter. `undefined` while that is not known.
   */
  isOpen (port: ListeningPort): boolean | undefined {
    return this.ports.get(port)?.isOpen
  }

  setOpen (port: ListeningPort, isOpen: boolean | undefined): void {
    Object.assign(this.ports.get(port) ?? {}, { isOpen })
  }
}

export function toListeningPort ({ address, port }: AddressInfo): ListeningPort {
  return { host: address, port, family: isIPv6(address) ? 6 : 4 }
}

/**
 * Whether a socket with this local endpoint shares the port of a listener
 */
export function sharesPort ({ host, port, family }: ListeningPort, local: Endpoint): boolean {
  return port === local.port && family === (isIPv6(local.host) ? 6 : 4) && (isUnspecified(host) || host === local.host)
}
