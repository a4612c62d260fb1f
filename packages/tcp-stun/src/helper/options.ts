import type { AllowList } from './allow-list.ts'
import type { ConnectionRefusal } from './gate.ts'
import type { HelperLimits, HelperLimitsInit } from './limits.ts'
import type { RelayRefusal } from './relay-policy.ts'
import type { RendezvousServer } from '../rendezvous/index.ts'
import type { BoardStore } from '../rendezvous/store/store.ts'
import type { CircuitRelayService } from '@libp2p/circuit-relay-v2'
import type { Identify } from '@libp2p/identify'
import type { Libp2p, PrivateKey } from '@libp2p/interface'
import type { WebSocketsOptions } from 'libp2p-tcp-stun'
import type { Endpoint } from 'libp2p-tcp-stun/net'
import type { STUNServer } from 'libp2p-tcp-stun/server'
import type { STUNCredential } from 'libp2p-tcp-stun/stun'
import type { IncomingMessage, ServerResponse } from 'node:http'

export interface HelperInit extends HelperLimitsInit {
  /**
   * Where the libp2p node listens
   *
   * @default port 4001 of all addresses
   */
  listen?: Endpoint[]

  /**
   * Where the STUN server listens. A second port lets clients notice a NAT that gives
   * each of them another address.
   *
   * @default ports 3478 and 3479 of all addresses
   */
  stunListen?: Endpoint[]

  /**
   * More addresses to announce, as multiaddrs
   *
   * @default none
   */
  announce?: string[]

  /**
   * The public addresses of a 1:1 NAT before this machine, which passes all ports on
   *
   * @default none
   */
  externalIPs?: string[]

  /**
   * Public addresses of this machine that no peer contacts, one of each IP version at most: they are not announced, no
   * DNS record may have them, and `stunListen` names others. AutoNAT dials peers back from there, like a stranger, so
   * its verdict alone tells a peer whether its NAT admits strangers.
   *
   * @default AutoNAT dials from an address that peers contact, so a peer waits for another sign of a stranger
   */
  dialBackFrom?: string[]

  /**
   * The networks of load balancers, like `10.0.0.0/8`. The STUN server expects a PROXY
   * header from there, and the limits for one address do not apply to libp2p connections.
   *
   * @default none
   */
  trustedProxies?: string[]

  /**
   * Whether the libp2p port takes WebSockets too, so that browsers can connect, and shows the
   * status page
   *
   * @default true
   */
  webSockets?: boolean

  /**
   * For WebSockets with TLS and https: in PEM, or in files that are read again when they change
   *
   * @default without TLS
   */
  certificate?: WebSocketsOptions['certificate']

  /**
   * Get such a certificate from Let's Encrypt, by `@ipshipyard/libp2p-auto-tls` and the service `libp2p.direct`, which
   * learn the peer id and the addresses. It needs a public IP address, and the packages `@ipshipyard/libp2p-auto-tls`,
   * `@libp2p/http` and `@libp2p/keychain`.
   *
   * @default false
   */
  autoTLS?: boolean | AutoTLSOptions

  /**
   * Host names by which the status page is asked for, besides those that the helper announces
   *
   * @default none
   */
  hostNames?: string[]

  /**
   * The identity of the node
   *
   * @default a new one
   */
  privateKey?: PrivateKey

  /**
   * Where the board keeps its registrations
   *
   * @default in memory only
   */
  store?: BoardStore

  /**
   * The only peers that are served
   *
   * @default every peer
   */
  allow?: AllowList

  /**
   * The key of a private network (`@libp2p/pnet`): whoever does not have it cannot even
   * begin to speak to the libp2p port
   */
  networkKey?: Uint8Array

  /**
   * The STUN server answers only those who know this name and password
   *
   * @default everybody is answered
   */
  stunCredential?: STUNCredential
}

export interface AutoTLSOptions {
  /**
   * Where keys and the certificate are kept. Let's Encrypt gives only a few certificates a week for one peer id.
   *
   * @default in memory
   */
  folder?: string

  /**
   * The service that answers the challenge of the certificate authority (p2p-forge), as an URL
   *
   * @default 'https://registration.libp2p.direct'
   */
  forgeEndpoint?: string

  /**
   * The domain under which that service gives names
   *
   * @default 'libp2p.direct'
   */
  forgeDomain?: string

  /**
   * The directory of the certificate authority (RFC 8555), as an URL
   *
   * @default that of Let's Encrypt
   */
  acmeDirectory?: string

  /**
   * How long to wait after the addresses have changed, in ms
   *
   * @default 5_000
   */
  provisionDelay?: number
}

export interface HelperServices extends Record<string, unknown> {
  relay: CircuitRelayService
  board: RendezvousServer
  identify: Identify
}

/**
 * Who is served
 */
export interface HelperAccess {
  /**
   * How many peers are on the list of those allowed, if there is a list
   */
  readonly members?: number

  /**
   * Whether a network key is needed
   */
  readonly networkKey: boolean

  /**
   * Whether the STUN server asks for a password
   */
  readonly stunCredential: boolean
}

export interface HelperPage {
  /**
   * Answer a request. Where the port is open, what programs ask is for everybody who reaches
   * it, else for the helper's own machine only.
   */
  handle(request: IncomingMessage, response: ServerResponse, isOpen: boolean): void
}

/**
 * A helper that is running
 */
export interface Helper {
  readonly node: Libp2p<HelperServices>
  readonly stunServer: STUNServer
  readonly limits: HelperLimits
  readonly access: HelperAccess

  /**
   * How many peers got no reservation, and why
   */
  readonly refused: Readonly<Record<RelayRefusal, number>>

  /**
   * How many inbound connections were refused, and why
   */
  readonly refusedConnections: Readonly<Record<ConnectionRefusal, number>>

  /**
   * How many relayed connections there are
   */
  readonly circuits: number

  /**
   * What the helper shows over HTTP
   */
  readonly page: HelperPage

  /**
   * Disconnect the peers that are no longer on the list of those allowed
   */
  expelStrangers(): void

  /**
   * Give no more reservations, wait until the relayed connections have ended, at most for
   * some ms, and close
   */
  drain(deadline: number): Promise<void>

  close(): Promise<void>
}
