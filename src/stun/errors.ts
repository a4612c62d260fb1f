/**
 * The server did not answer in time
 */
export class STUNTimeoutError extends Error {
  static name = 'STUNTimeoutError'
  name = 'STUNTimeoutError'
}

/**
 * What the server sent is not STUN, or not what RFC 8489 allows
 */
export class STUNProtocolError extends Error {
  static name = 'STUNProtocolError'
  name = 'STUNProtocolError'
}

/**
 * The server answered with an error response (RFC 8489, section 14.8)
 */
export class STUNErrorResponseError extends Error {
  static name = 'STUNErrorResponseError'
  name = 'STUNErrorResponseError'

  /**
   * The error code, 300 to 699
   */
  readonly code: number

  /**
   * The reason phrase the server gave, may be empty
   */
  readonly reason: string

  constructor (code: number, reason: string, message = `STUN server answered ${code} ${reason}`) {
    super(message)
    this.code = code
    this.reason = reason
  }
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
