import { InvalidParametersError, serviceCapabilities, transportSymbol } from '@libp2p/interface'
import { TCP as TCPMatcher, Unix } from '@multiformats/multiaddr-matcher'
import { Dialer } from './dial/dialer.ts'
import { SharedPorts } from './dial/shared-ports.ts'
import { TCPSTUNListener } from './listen/listener.ts'
import { validateMappingOptions } from './mapping/options.ts'
import { FastPunch } from './punch/hole-punch.ts'
import type { TCPCreateListenerOptions, TCPDialEvents, TCPDialOptions, TCPSTUNComponents, TCPSTUNInit } from './index.ts'
import type { Connection, Listener, Startable, Transport } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

export class TCPSTUN implements Transport<TCPDialEvents>, Startable {
  private readonly components: TCPSTUNComponents
  private readonly init: TCPSTUNInit
  private readonly ports = new SharedPorts()
  private readonly dialer: Dialer
  private readonly fastPunch: FastPunch

  constructor (components: TCPSTUNComponents, init: TCPSTUNInit = {}) {
    validateMappingOptions(init)

    if (init.mappingTimeout != null && !(init.mappingTimeout >= 0 && init.mappingTimeout <= 0x7fffffff)) {
      throw new InvalidParametersError(`mappingTimeout must be a number of milliseconds from 0 on, not ${init.mappingTimeout}`)
    }

    if (init.stunServers != null && !Array.isArray(init.stunServers)) {
      throw new InvalidParametersError('stunServers must be a list of STUN URIs')
    }

    if (init.maxLingeringDials != null && !(Number.isInteger(init.maxLingeringDials) && init.maxLingeringDials >= 0)) {
      throw new InvalidParametersError(`maxLingeringDials must be a whole number from 0 on, not ${init.maxLingeringDials}`)
    }

    this.components = components
    this.init = init
    this.dialer = new Dialer(components, init, this.ports)
    this.fastPunch = new FastPunch(components, this.dialer)
  }

  readonly [transportSymbol] = true

  readonly [Symbol.toStringTag] = 'libp2p-tcp-stun'

  readonly [serviceCapabilities]: string[] = [
    '@libp2p/transport',
    '@libp2p/nat-traversal'
  ]

  start (): void {
    const { portReuse = true, fastHolePunch = true } = this.init

    // in a private network the first words are not readable
    if (portReuse && fastHolePunch && this.components.connectionProtector == null) {
      this.fastPunch.start()
    }
  }

  stop (): void {
    this.fastPunch.stop()
  }

  async dial (ma: Multiaddr, options: TCPDialOptions): Promise<Connection> {
    return this.dialer.dial(ma, options)
  }

  createListener (options: TCPCreateListenerOptions): Listener {
    return new TCPSTUNListener(this.components, this.init, options, this.ports)
  }

  /**
   * The addresses among these that can be listened on
   */
  listenFilter (multiaddrs: Multiaddr[]): Multiaddr[] {
    return multiaddrs.filter(ma => TCPMatcher.exactMatch(ma) || Unix.exactMatch(ma))
  }

  /**
   * The addresses among these that can be dialled
   */
  dialFilter (multiaddrs: Multiaddr[]): Multiaddr[] {
    return this.listenFilter(multiaddrs)
  }
}
