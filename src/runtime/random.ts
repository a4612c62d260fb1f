/**
 * A number from 0 (included) to 1 (excluded), for jitter: not for secrets
 */
export type Random = () => number

/**
 * Spread a duration by a tenth to both sides, so that many nodes that started
 * together do not ask one server in step
 */
export function jitter (ms: number, random: Random): number {
  return ms * (0.9 + 0.2 * random())
}
