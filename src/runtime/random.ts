/**
 * A number from 0 (included) to 1 (excluded). It is for jitter, not for secrets.
 */
export type Random = () => number

/**
 * Spread a duration by a tenth in both directions, so that nodes that started
 * together do not ask a server at the same time
 */
export function jitter (ms: number, random: Random): number {
  return ms * (0.9 + 0.2 * random())
}

/**
 * The same items in random order
 */
export function shuffle<T> (items: T[], random: Random): T[] {
  const shuffled = [...items]

  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [shuffled[i], shuffled[j]] = [shuffled[j], shuffled[i]]
  }

  return shuffled
}
