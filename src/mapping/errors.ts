/**
 * A STUN server reported an address that can not be this node's public one
 */
export class InvalidMappedAddressError extends Error {
  static name = 'InvalidMappedAddressError'
  name = 'InvalidMappedAddressError'
}

/**
 * A STUN server reported another address than all the others
 */
export class DisagreeingServerError extends Error {
  static name = 'DisagreeingServerError'
  name = 'DisagreeingServerError'
}

/**
 * There is no STUN server to ask: none was configured, or all were invalid
 */
export class NoSTUNServersError extends Error {
  static name = 'NoSTUNServersError'
  name = 'NoSTUNServersError'
}

/**
 * Every STUN server failed, `errors` has the reason of each
 */
export class AllServersFailedError extends AggregateError {
  static name = 'AllServersFailedError'
  name = 'AllServersFailedError'
}

/**
 * The platform can not share a port between a listener and a STUN connection
 */
export class PortSharingUnsupportedError extends Error {
  static name = 'PortSharingUnsupportedError'
  name = 'PortSharingUnsupportedError'
}
