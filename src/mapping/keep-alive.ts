/**
 * One of this many keep-alives is a Binding request, the others are TCP
 * keep-alive probes that the kernel sends. A probe refreshes the NAT's mapping and
 * detects a mapping that is gone, at less than half the bytes. With a request
 * every third time, two connections at the defaults would cost more than 20
 * bytes/s. A request cannot report anything new, because the address of a TCP
 * connection never changes. It detects a hung server process whose kernel still
 * answers.
 */
const KEEP_ALIVES_PER_REQUEST = 6

/**
 * The kernel counts TCP keep-alive times in whole seconds
 */
const MIN_TCP_KEEP_ALIVE = 1_000

/**
 * How often a held connection carries a Binding request when it is kept alive
 * every `keepAliveInterval` ms: every sixth time, or every time below one second,
 * where the kernel sends no probes. A server that closes idle connections sooner
 * than this cannot hold a mapping for long.
 *
 * @returns ms
 */
export function requestInterval (keepAliveInterval: number): number {
  return keepAliveInterval < MIN_TCP_KEEP_ALIVE ? keepAliveInterval : KEEP_ALIVES_PER_REQUEST * keepAliveInterval
}
