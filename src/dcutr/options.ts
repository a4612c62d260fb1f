import { checkOptions, duration, milliseconds, oneOf, wholeNumber } from '../runtime/check-options.ts'
import type { DCUtRInit } from './index.ts'
import type { Rule, Rules } from '../runtime/check-options.ts'

const DEFAULT_TIMEOUT = 5_000
const DEFAULT_RETRIES = 3
const DEFAULT_MAX_UPGRADES = 16
const DEFAULT_BACK_OFF = 120_000
const DEFAULT_MAX_STREAMS = 1

/**
 * A multiaddr would never match, without a word
 */
const PEER_IDS: Rule = {
  must: 'a list of peer ids like 12D3Koo...',
  isValid: ids => Array.isArray(ids) && ids.every(id => typeof id === 'string' && /^[1-9A-Za-z]{32,}$/.test(id))
}

/**
 * All options. The type makes sure that none is missing here.
 */
const RULES: Rules<DCUtRInit> = {
  timeout: duration(),
  retries: wholeNumber(1),
  maxUpgrades: wholeNumber(1),
  backOff: milliseconds(),
  maxInboundStreams: wholeNumber(1),
  maxOutboundStreams: wholeNumber(1),
  hardPunch: oneOf<DCUtRInit['hardPunch']>(true, false, 'wide'),
  trustedPeers: PEER_IDS,
  trustedRelays: PEER_IDS
}

/**
 * The options of the service, with their defaults
 *
 * @throws {InvalidParametersError} one is unknown or makes no sense; the message names it
 */
export function validateDCUtROptions (init: DCUtRInit): Required<DCUtRInit> {
  checkOptions('dcutr()', init, RULES)

  return {
    timeout: init.timeout ?? DEFAULT_TIMEOUT,
    retries: init.retries ?? DEFAULT_RETRIES,
    maxUpgrades: init.maxUpgrades ?? DEFAULT_MAX_UPGRADES,
    backOff: init.backOff ?? DEFAULT_BACK_OFF,
    maxInboundStreams: init.maxInboundStreams ?? DEFAULT_MAX_STREAMS,
    maxOutboundStreams: init.maxOutboundStreams ?? DEFAULT_MAX_STREAMS,
    hardPunch: init.hardPunch ?? true,
    trustedPeers: init.trustedPeers ?? [],
    trustedRelays: init.trustedRelays ?? []
  }
}
