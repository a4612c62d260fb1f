import type { Ratio } from './side-by-side.ts'

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
 * is missed when the value is off by more, and by more than `ERRORS` of its standard errors,
 * or by more than `MAX_MARGIN` however wide those are.
 */
export const NOISE = 0.05
const ERRORS = 2
const MAX_MARGIN = 0.15

/**
 * The text says what the value is compared with, such as '@libp2p/tcp'
 */
export function atLeast (value: number | Ratio, limit: number, text: string): Promised {
  const { text: shown, number, margin } = toMargin(value)

  return { text: `at least ${text} (${shown})`, kept: number >= limit * (1 - margin) }
}

export function atMost (value: number | Ratio, limit: number, text: string): Promised {
  const { text: shown, number, margin } = toMargin(value)

  return { text: `at most ${text} (${shown})`, kept: number <= limit * (1 + margin) }
}

function toMargin (value: number | Ratio): { text: string, number: number, margin: number } {
  if (typeof value === 'number') {
    return { text: round(value), number: value, margin: NOISE }
  }

  return {
    text: `${round(value.value)} ± ${round(value.value * value.error)}`,
    number: value.value,
    margin: Math.min(Math.max(NOISE, ERRORS * value.error), MAX_MARGIN)
  }
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
