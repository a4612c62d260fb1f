import { serviceCapabilities, transportSymbol } from '@libp2p/interface'
import type { TCPDialEvents } from './index.ts'
import type { Connection, Listener, Transport } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

const MESSAGE = 'libp2p-tcp-stun needs the TCP sockets of Node.js, which browsers and React Native do not have'

/**
 * Bundlers for browsers and React Native load this file in place of
 * `transport.ts`, so that an app that runs there too can be built.
 */
export class TCPSTUN implements Transport<TCPDialEvents> {
  constructor () {
    throw new Error(MESSAGE)
  }

  readonly [transportSymbol] = true

  readonly [Symbol.toStringTag] = 'libp2p-tcp-stun'

  readonly [serviceCapabilities]: string[] = [
    '@libp2p/transport',
    '@libp2p/nat-traversal'
  ]

  async dial (): Promise<Connection> {
    throw new Error(MESSAGE)
  }

  createListener (): Listener {
    throw new Error(MESSAGE)
  }

  listenFilter (): Multiaddr[] {
    return []
  }

  dialFilter (): Multiaddr[] {
    return []
  }
}
