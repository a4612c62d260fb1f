/**
 * The other STUN servers report another address
 */
export class DisagreeingServerError extends Error {
  static name = 'DisagreeingServerError'
  name = 'DisagreeingServerError'
}

/**
 * A STUN server reported different addresses on one connection, whose address
 * cannot change
 */
export class ContradictoryServerError extends Error {
  static name = 'ContradictoryServerError'
  name = 'ContradictoryServerError'
}

/**
 * There is no STUN server to ask: none was configured, or all were invalid
 */
export class NoSTUNServersError extends Error {
  static name = 'NoSTUNServersError'
  name = 'NoSTUNServersError'
}

/**
 * All STUN servers were connected to a moment ago, or rest after a failure
 */
export class NoServerAvailableError extends Error {
  static name = 'NoServerAvailableError'
  name = 'NoServerAvailableError'
}

/**
 * Every STUN server failed, `errors` has the reason of each
 */
export class AllServersFailedError extends AggregateError {
  static name = 'AllServersFailedError'
  name = 'AllServersFailedError'
}

/**
 * The socket that listens on the port does not share it: its server was not made to
 * listen with `reusePort: true`
 */
export class PortNotSharedError extends Error {
  static name = 'PortNotSharedError'
  name = 'PortNotSharedError'
}

/**
 * The platform cannot share a port between a listener and a STUN connection
 */
export class PortSharingUnsupportedError extends Error {
  static name = 'PortSharingUnsupportedError'
  name = 'PortSharingUnsupportedError'
}
