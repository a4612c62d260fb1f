import { InvalidParametersError } from '@libp2p/interface'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * A certificate for `wss` and `https`, both parts in PEM
 */
export interface PEMCertificate {
  /**
   * The private key
   */
  key: string

  /**
   * The certificate, followed by those of its issuers
   */
  cert: string
}

/**
 * The same in files, which are read again when they change
 */
export interface CertificateFiles {
  keyFile: string
  certFile: string
}

export interface WebSocketsOptions {
  /**
   * The certificate for `wss` and `https`. Without one, the certificates of AutoTLS are
   * used (its events `certificate:provision` and `certificate:renew`), and until there is
   * one, the port takes `ws` and `http` only.
   */
  certificate?: PEMCertificate | CertificateFiles

  /**
   * Answers an ordinary HTTP request on the port. Each connection carries one request,
   * which must be complete within 10 s. A request whose `Host` is a name that is neither
   * in `hosts` nor in the certificate is answered with 421 and never gets here.
   *
   * @default every request is answered with 426 (Upgrade Required)
   */
  onRequest?(request: IncomingMessage, response: ServerResponse): void | Promise<void>

  /**
   * Names under which the port can be asked by HTTP, in lower case. IP addresses,
   * `localhost` and the names of the certificate always are. A name that is not listed may
   * be one that a hostile page has pointed at this machine (DNS rebinding).
   *
   * @default []
   */
  hosts?: string[]

  /**
   * Pages of these origins may connect by WebSocket, for example `https://app.example.org`.
   * Clients that are no browsers name no origin and are always admitted.
   *
   * @default all
   */
  origins?: string[]

  /**
   * The longest WebSocket message that is accepted, in bytes. The connection of a peer
   * that sends a longer one is closed with 1009.
   *
   * @default 1_048_576
   */
  maxMessageSize?: number

  /**
   * Takes over a connection whose first bytes are a STUN Binding request (RFC 8489). The
   * socket is paused, and they are still to be read. The listener closes it when it closes
   * itself.
   *
   * @default STUN messages are not expected
   */
  onSTUN?(socket: Socket): void
}

/**
 * All options. The type makes sure that none is missing here.
 */
const OPTIONS: Record<keyof WebSocketsOptions, true> = {
  certificate: true,
  onRequest: true,
  hosts: true,
  origins: true,
  maxMessageSize: true,
  onSTUN: true
}

/**
 * @throws {InvalidParametersError} an option is unknown or makes no sense; the message
 * names it
 */
export function validateWebSocketsOptions (init: unknown): void {
  if (init == null || typeof init === 'boolean') {
    return
  }

  if (typeof init !== 'object') {
    throw new InvalidParametersError(`webSockets must be true, false or an object, not ${typeof init}`)
  }

  for (const name of Object.keys(init)) {
    if (!Object.hasOwn(OPTIONS, name)) {
      throw new InvalidParametersError(`There is no option webSockets.${name}`)
    }
  }

  const { certificate, onRequest, onSTUN, hosts, origins, maxMessageSize } = init as Record<string, unknown>

  for (const [name, value] of Object.entries({ onRequest, onSTUN })) {
    if (value != null && typeof value !== 'function') {
      throw new InvalidParametersError(`webSockets.${name} must be a function`)
    }
  }

  for (const [name, value] of Object.entries({ hosts, origins })) {
    if (value != null && !isListOfStrings(value)) {
      throw new InvalidParametersError(`webSockets.${name} must be a list of strings`)
    }
  }

  if (maxMessageSize != null && !(Number.isInteger(maxMessageSize) && Number(maxMessageSize) > 0)) {
    throw new InvalidParametersError(
      `webSockets.maxMessageSize must be a whole number of bytes above 0, not ${String(maxMessageSize)}`
    )
  }

  if (certificate != null && !isCertificate(certificate)) {
    throw new InvalidParametersError('webSockets.certificate must have key and cert, or keyFile and certFile')
  }
}

function isListOfStrings (value: unknown): boolean {
  return Array.isArray(value) && value.every(item => typeof item === 'string')
}

function isCertificate (value: any): boolean {
  const isPair = (a: unknown, b: unknown): boolean => typeof a === 'string' && typeof b === 'string'

  return isPair(value.key, value.cert) || isPair(value.keyFile, value.certFile)
}
