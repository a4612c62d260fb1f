/**
 * The rendezvous protocol, as both sides know it. The limits that concern one side only
 * are with that side.
 *
 * @see https://github.com/libp2p/specs/blob/master/rendezvous/README.md
 */

export const PROTOCOL = '/rendezvous/1.0.0'

/**
 * In bytes of UTF-8
 */
export const MAX_NAMESPACE_LENGTH = 255

/**
 * How long a registration lasts that does not say so, in s. rust-libp2p accepts no
 * shorter time.
 */
export const DEFAULT_TTL = 2 * 60 * 60

/**
 * rust-libp2p reads no larger message
 */
export const MAX_RESPONSE_LENGTH = 1_048_576

/**
 * The length of a namespace in bytes of UTF-8
 */
export function namespaceLength (namespace: string): number {
  return new TextEncoder().encode(namespace).byteLength
}
