import {
  CODE_DNS, CODE_DNS4, CODE_DNS6, CODE_IP4, CODE_IP6, CODE_P2P_CIRCUIT, CODE_TCP, CODE_TLS, CODE_WS, CODE_WSS, multiaddr
} from '@multiformats/multiaddr'
import { isGlobal } from 'libp2p-tcp-stun/net'
import { addressesIn } from '../rendezvous/signed-record.ts'
import type { NATVerdict, PeerTransport } from './status.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

const NAMES = new Set([CODE_DNS, CODE_DNS4, CODE_DNS6])

/**
 * How a peer is connected, by its address
 */
export function transportOf (address: Multiaddr): PeerTransport {
  const codes = new Set(address.getComponents().map(({ code }) => code))

  if (codes.has(CODE_P2P_CIRCUIT)) {
    return 'relay'
  }

  if (codes.has(CODE_WSS) || (codes.has(CODE_WS) && codes.has(CODE_TLS))) {
    return 'wss'
  }

  if (codes.has(CODE_WS)) {
    return 'ws'
  }

  return codes.has(CODE_TCP) ? 'tcp' : 'other'
}

/**
 * Whether strangers can dial a peer, by the addresses that it has signed. It announces a
 * public one only when it is dialable.
 */
export function verdictOf (record: Uint8Array): NATVerdict {
  let addresses: Uint8Array[]

  try {
    addresses = addressesIn(record)
  } catch {
    // it came from a damaged store
    return 'unknown'
  }

  const verdicts = addresses.map(verdictOfAddress)

  return (['dialable', 'relayed'] as const).find(verdict => verdicts.includes(verdict)) ?? 'unknown'
}

function verdictOfAddress (bytes: Uint8Array): NATVerdict {
  let components

  try {
    components = multiaddr(bytes).getComponents()
  } catch {
    // of a protocol that is not known here
    return 'unknown'
  }

  if (components.some(({ code }) => code === CODE_P2P_CIRCUIT)) {
    return 'relayed'
  }

  const [{ code, value = '' }] = components
  const isPublic = code === CODE_IP4 || code === CODE_IP6 ? isGlobal(value) : NAMES.has(code)

  return isPublic ? 'dialable' : 'unknown'
}
