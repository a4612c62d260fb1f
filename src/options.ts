import { InvalidParametersError } from '@libp2p/interface'
import { MAPPING_RULES, checkCredential, parseServers } from './mapping/options.ts'
import { BOOLEAN, FUNCTION, OBJECT, checkOptions, milliseconds, oneOf, wholeNumber } from './runtime/check-options.ts'
import { validateWebSocketsOptions } from './websockets/options.ts'
import type { Announce, TCPSTUNInit } from './index.ts'
import type { Rules } from './runtime/check-options.ts'

/**
 * All options. The type makes sure that none is missing here.
 */
const RULES: Rules<TCPSTUNInit> = {
  // of @libp2p/tcp
  inboundSocketInactivityTimeout: milliseconds(),
  outboundSocketInactivityTimeout: milliseconds(),
  maxConnections: { must: 'a number from 0 on', isValid: value => typeof value === 'number' && value >= 0 },
  backlog: wholeNumber(0),
  closeServerOnMaxConnections: OBJECT,
  dialOpts: OBJECT,
  listenOpts: OBJECT,
  // ours
  ...MAPPING_RULES,
  stunServers: undefined,
  tls: OBJECT,
  stunCredential: undefined,
  mappingTimeout: milliseconds(),
  announce: oneOf<Announce>('dialable', 'always', 'never'),
  portReuse: BOOLEAN,
  maxLingeringDials: wholeNumber(0),
  webSockets: undefined,
  onMappingChange: FUNCTION
}

/**
 * @throws {InvalidParametersError} an option is unknown or makes no sense; the message
 * names it
 */
export function validateOptions (init: TCPSTUNInit): void {
  checkOptions('tcpSTUN()', init, RULES)

  if (init.stunServers != null) {
    parseServers(init.stunServers)
  }

  checkCredential(init.stunCredential)
  validateWebSocketsOptions(init.webSockets)

  const { closeServerOnMaxConnections: limits } = init

  if (limits != null && limits.closeAbove < limits.listenBelow) {
    throw new InvalidParametersError('closeAbove must be >= listenBelow')
  }
}
