import type { Endpoint } from '../address/endpoint.ts'

/**
 * The server did not answer in time
 */
export class STUNTimeoutError extends Error {
  static name = 'STUNTimeoutError'
  name = 'STUNTimeoutError'
}

/**
 * The server reported an address that cannot be the public one of this node
 */
export class InvalidMappedAddressError extends Error {
  static name = 'InvalidMappedAddressError'
  name = 'InvalidMappedAddressError'
}

/**
 * What the server sent is not STUN, or not what RFC 8489 allows
 */
export class STUNProtocolError extends Error {
  static name = 'STUNProtocolError'
  name = 'STUNProtocolError'
}

/**
 * What the codes mean that a client without credentials can do nothing about
 */
const EXPLANATIONS: Record<number, string> = {
  400: 'it may only serve users with a name and a password: use another server, or its stunCredential',
  401: 'it only serves users with a name and a password: use another server, or its stunCredential'
}

/**
 * The server answered with an error response (RFC 8489, section 14.8)
 */
export class STUNErrorResponseError extends Error {
  static name = 'STUNErrorResponseError'
  name = 'STUNErrorResponseError'

  /**
   * The error code, 300 to 699. 401: the server demands credentials.
   */
  readonly code: number

  /**
   * The reason phrase of the server, possibly empty
   */
  readonly reason: string

  /**
   * Where to ask instead, with code 300 (RFC 8489, section 14.15)
   */
  readonly alternateServer?: Endpoint

  /**
   * The name in the certificate of the alternate server (RFC 8489, section 14.16)
   */
  readonly alternateDomain?: string

  constructor (code: number, reason: string, detail: ErrorResponseDetail = {}) {
    // it goes into logs: no line breaks or escape sequences of a stranger
    const text = `${detail.server ?? 'STUN server'} answered ${code} ${reason.replace(/\p{C}/gu, ' ').slice(0, 128)}`
    super(code in EXPLANATIONS ? `${text}: ${EXPLANATIONS[code]}` : text)
    this.code = code
    this.reason = reason
    this.alternateServer = detail.alternateServer
    this.alternateDomain = detail.alternateDomain
  }
}

/**
 * What an error response says besides its code
 */
export interface ErrorResponseDetail {
  server?: string
  alternateServer?: Endpoint
  alternateDomain?: string
}

/**
 * Servers refer to each other without end by ALTERNATE-SERVER, or to an address that
 * a client must not follow (RFC 8489, section 10)
 */
export class STUNAlternateServerError extends Error {
  static name = 'STUNAlternateServerError'
  name = 'STUNAlternateServerError'
}

/**
 * A connection to a STUN server could not be made, or ended
 */
export class STUNConnectionError extends Error {
  static name = 'STUNConnectionError'
  name = 'STUNConnectionError'

  constructor (message = 'The connection to the STUN server ended', options?: ErrorOptions) {
    super(message, options)
  }
}

/**
 * The certificate of a `stuns:` server is not trusted
 */
export class STUNCertificateError extends STUNConnectionError {
  static name = 'STUNCertificateError'
  name = 'STUNCertificateError'
}

/**
 * A STUN URI is not one of RFC 7064, or not one that works over TCP
 */
export class InvalidSTUNURIError extends Error {
  static name = 'InvalidSTUNURIError'
  name = 'InvalidSTUNURIError'
}

/**
 * The name of a STUN server could not be resolved
 */
export class STUNResolveError extends Error {
  static name = 'STUNResolveError'
  name = 'STUNResolveError'
}
