import type { Endpoint } from '../address/endpoint.ts'
import type { Clock } from '../runtime/clock.ts'
import type tls from 'node:tls'

/**
 * How long to wait for a connection or an answer, in ms. RFC 8489, section 6.2.2,
 * waits 39.5 s, which is too long for a mapping that has to be replaced. 5 s leave
 * room for two retransmissions by TCP.
 */
export const DEFAULT_TIMEOUT = 5_000

/**
 * A name and a password that all clients of a server share: the short-term credential
 * mechanism (RFC 8489, section 9.1)
 */
export interface STUNCredential {
  /**
   * At most 508 bytes of UTF-8
   */
  username: string
  password: string
}

export interface STUNClientInit {
  /**
   * The server's address
   */
  server: Endpoint

  /**
   * The local address and port to connect from, which other sockets of this
   * process may share. Without it the system chooses.
   */
  local?: Endpoint

  /**
   * Speak TLS (`stuns:`). `servername` is the name in the server's certificate.
   */
  tls?: { servername?: string } & tls.SecureContextOptions

  /**
   * For a server that answers only those who know it. Its responses are verified.
   */
  credential?: STUNCredential

  /**
   * How long to wait for the connection, and for each answer, in ms
   *
   * @default 5_000
   */
  timeout?: number

  /**
   * Have the system send a TCP keep-alive probe when the connection was silent
   * for this many ms, rounded to whole seconds. A probe refreshes the mapping of a
   * NAT as a request does, and costs less. The connection ends when ten probes in a
   * row, one second apart, are not acknowledged.
   *
   * @default no probe is sent
   */
  keepAlive?: number

  clock?: Clock
}
