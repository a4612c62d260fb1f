/* eslint-disable no-console */

/**
 * What came of a scenario, a line of JSON on the standard output
 */
export interface Result {
  scenario: string
  peers: string
  attempts: number
  succeeded: number

  /**
   * What the numbers do not say
   */
  note?: string

  /**
   * Medians and the like
   */
  [key: string]: unknown
}

export function report (result: Result): void {
  console.log(JSON.stringify(result))
}
