import type { ServiceMap } from '@libp2p/interface'
import type { Libp2pOptions } from 'libp2p'

/**
 * One configuration out of two: lists are joined, services and other options of both are
 * kept, and where both name the same option the second one counts
 */
export function mergeConfig<A extends ServiceMap, B extends ServiceMap> (
  config: Libp2pOptions<A>,
  own: Libp2pOptions<B>
): Libp2pOptions<A & B> {
  return merge(config, own) as Libp2pOptions<A & B>
}

function merge (a: unknown, b: unknown): unknown {
  if (b === undefined) {
    return a
  }

  if (Array.isArray(a) && Array.isArray(b)) {
    return [...a, ...b]
  }

  if (!isPlain(a) || !isPlain(b)) {
    return b
  }

  const names = new Set([...Object.keys(a), ...Object.keys(b)])

  return Object.fromEntries([...names].map(name => [name, merge(a[name], b[name])]))
}

/**
 * An object that holds options, not one with an identity such as a key or a datastore
 */
function isPlain (value: unknown): value is Record<string, unknown> {
  return value != null && [Object.prototype, null].includes(Object.getPrototypeOf(value))
}
