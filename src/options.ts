import { InvalidParametersError } from '@libp2p/interface'
import { parseServers, validateMappingOptions } from './mapping/options.ts'
import { validateWebSocketsOptions } from './websockets/options.ts'
import type { Announce, TCPSTUNInit } from './index.ts'

/**
 * Timers of Node fire at once when their delay does not fit 31 bits
 */
const MAX_DELAY = 0x7fffffff

/**
 * RFC 8489, section 14.3
 */
const MAX_USERNAME_LENGTH = 508

const ANNOUNCE: Announce[] = ['dialable', 'always', 'never']

/**
 * All options. The type makes sure that none is missing here.
 */
const OPTIONS: Record<keyof TCPSTUNInit, true> = {
  // of @libp2p/tcp
  inboundSocketInactivityTimeout: true,
  outboundSocketInactivityTimeout: true,
  maxConnections: true,
  backlog: true,
  closeServerOnMaxConnections: true,
  dialOpts: true,
  listenOpts: true,
  // ours
  stunServers: true,
  tls: true,
  stunCredential: true,
  stunConnections: true,
  keepAliveInterval: true,
  minReconnectInterval: true,
  allowPrivateMapping: true,
  mappingTimeout: true,
  announce: true,
  portReuse: true,
  maxLingeringDials: true,
  webSockets: true,
  onMappingChange: true
}

/**
 * @throws {InvalidParametersError} an option is unknown or makes no sense; the message
 * names it
 */
export function validateOptions (init: TCPSTUNInit): void {
  for (const name of Object.keys(init)) {
    if (!Object.hasOwn(OPTIONS, name)) {
      throw new InvalidParametersError(`There is no option ${name}`)
    }
  }

  validateMappingOptions(init)

  if (init.stunServers != null) {
    parseServers(init.stunServers)
  }

  validateCredential(init.stunCredential)
  validateWebSocketsOptions(init.webSockets)

  const { announce, mappingTimeout, maxLingeringDials, closeServerOnMaxConnections: limits } = init

  if (mappingTimeout != null && !(mappingTimeout >= 0 && mappingTimeout <= MAX_DELAY)) {
    throw new InvalidParametersError(`mappingTimeout must be a number of milliseconds from 0 on, not ${mappingTimeout}`)
  }

  if (announce != null && !ANNOUNCE.includes(announce)) {
    throw new InvalidParametersError(`announce must be one of ${ANNOUNCE.join(', ')}, not ${announce}`)
  }

  if (maxLingeringDials != null && !(Number.isInteger(maxLingeringDials) && maxLingeringDials >= 0)) {
    throw new InvalidParametersError(`maxLingeringDials must be a whole number from 0 on, not ${maxLingeringDials}`)
  }

  if (limits != null && limits.closeAbove < limits.listenBelow) {
    throw new InvalidParametersError('closeAbove must be >= listenBelow')
  }
}

function validateCredential (credential: unknown): void {
  if (credential == null) {
    return
  }

  const { username, password } = credential as Record<string, unknown>

  if (typeof username !== 'string' || username === '' || typeof password !== 'string' || password === '') {
    throw new InvalidParametersError('stunCredential must have a username and a password')
  }

  if (new TextEncoder().encode(username).byteLength > MAX_USERNAME_LENGTH) {
    throw new InvalidParametersError(`stunCredential: the username may have ${MAX_USERNAME_LENGTH} bytes`)
  }
}
