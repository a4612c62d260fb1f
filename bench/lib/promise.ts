/**
 * What we promise about a value, in words, and whether it was kept this time
 */
export interface Promised {
  text: string
  kept: boolean

  /**
   * Nothing was timed, so other work on the machine changes nothing
   *
   * @default false
   */
  isCounted?: boolean
}

/**
 * Two runs of the same program differ by this fraction on a shared machine. A promise
 * is missed when the value is off by more.
 */
export const NOISE = 0.05

/**
 * The text says what the value is compared with, such as '@libp2p/tcp'
 */
export function atLeast (value: number, limit: number, text: string): Promised {
  return { text: `at least ${text} (${round(value)})`, kept: value >= limit * (1 - NOISE) }
}

export function atMost (value: number, limit: number, text: string): Promised {
  return { text: `at most ${text} (${round(value)})`, kept: value <= limit * (1 + NOISE) }
}

/**
 * A promise about a number that was counted: without a margin, and under any load
 */
export function counted (text: string, kept: boolean): Promised {
  return { text, kept, isCounted: true }
}

/**
 * Round to three significant digits
 */
export function round (value: number): string {
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) || 1)))

  return value.toFixed(Math.min(digits, 3)).replace(/\B(?=(\d{3})+(?!\d))(?<!\.\d*)/g, ' ')
}
