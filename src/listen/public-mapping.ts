import type { PublicMapping } from '../mapping/mapping.ts'
import type { Listener } from '@libp2p/interface'

/**
 * A listener of `tcpSTUN()` has its mapping under this key, for services that know it as
 * a `Listener` only. It is registered, so that two copies of this package share it.
 */
export const publicMapping = Symbol.for('libp2p-tcp-stun/public-mapping')

/**
 * The mappings of those listeners that have one
 */
export function mappingsOf (listeners: Listener[]): PublicMapping[] {
  return listeners.flatMap((listener: Listener & { [publicMapping]?: PublicMapping }) => listener[publicMapping] ?? [])
}
