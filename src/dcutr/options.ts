import { InvalidParametersError } from '@libp2p/interface'
import type { DCUtRInit } from './index.ts'

const DEFAULT_TIMEOUT = 5_000
const DEFAULT_RETRIES = 3
const DEFAULT_MAX_UPGRADES = 16
const DEFAULT_BACK_OFF = 120_000
const DEFAULT_MAX_STREAMS = 1

/**
 * The options of the service, with their defaults
 *
 * @throws {InvalidParametersError} one is invalid; the message names it
 */
export function validateDCUtROptions (init: DCUtRInit): Required<DCUtRInit> {
  return {
    timeout: positive('timeout', init.timeout ?? DEFAULT_TIMEOUT),
    retries: positive('retries', init.retries ?? DEFAULT_RETRIES),
    maxUpgrades: positive('maxUpgrades', init.maxUpgrades ?? DEFAULT_MAX_UPGRADES),
    backOff: init.backOff ?? DEFAULT_BACK_OFF,
    maxInboundStreams: positive('maxInboundStreams', init.maxInboundStreams ?? DEFAULT_MAX_STREAMS),
    maxOutboundStreams: positive('maxOutboundStreams', init.maxOutboundStreams ?? DEFAULT_MAX_STREAMS),
    hardPunch: oneOf('hardPunch', init.hardPunch ?? true, [true, false, 'wide']),
    trustedPeers: peerIds('trustedPeers', init.trustedPeers ?? []),
    trustedRelays: peerIds('trustedRelays', init.trustedRelays ?? [])
  }
}

/**
 * A multiaddr would never match, without a word
 */
function peerIds (name: string, ids: string[]): string[] {
  const wrong = ids.find(id => typeof id !== 'string' || !/^[1-9A-Za-z]{32,}$/.test(id))

  if (wrong != null) {
    throw new InvalidParametersError(`${name} must be peer ids like 12D3Koo..., not ${String(wrong)}`)
  }

  return ids
}

function oneOf<T> (name: string, value: T, values: T[]): T {
  if (!values.includes(value)) {
    throw new InvalidParametersError(`${name} must be one of ${values.join(', ')}, not ${String(value)}`)
  }

  return value
}

function positive (name: string, value: number): number {
  if (!(value > 0)) {
    throw new InvalidParametersError(`${name} must be a number above 0, not ${value}`)
  }

  return value
}
