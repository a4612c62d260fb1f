import { markdownTable } from 'markdown-table'
import { MAX_OTHER_WORK } from './other-work.ts'
import { round } from './promise.ts'
import type { Promised } from './promise.ts'
import type { Sample } from './side-by-side.ts'

export interface Row {
  what: string
  unit: string

  /**
   * By the name of the subject
   */
  results: Record<string, Sample | number>
  promise?: Promised
}

/**
 * A row with the conditions that it was measured under
 */
export interface MeasuredRow extends Row {
  /**
   * The part of the bench that it belongs to
   */
  part?: string

  /**
   * How many cores other programs kept busy
   */
  otherWork: number

  /**
   * What the first attempt came to, where it missed the promise and another one was made
   */
  first?: Pick<MeasuredRow, 'results' | 'promise' | 'otherWork'>
}

/**
 * - `unjudged`: other programs kept the machine too busy
 */
export type Verdict = 'kept' | 'missed' | 'unjudged'

export function judge ({ promise, otherWork }: MeasuredRow): Verdict | undefined {
  if (promise == null) {
    return
  }

  if (promise.isCounted !== true && otherWork > MAX_OTHER_WORK) {
    return 'unjudged'
  }

  return promise.kept ? 'kept' : 'missed'
}

export function verdictText (row: MeasuredRow): string {
  const { promise, first, otherWork } = row

  switch (judge(row)) {
    case 'kept':
      return `${promise?.text}: kept${first == null ? '' : ` at the second attempt (first: ${first.promise?.text})`}`
    case 'missed':
      return `${promise?.text}: MISSED${first == null ? '' : ` twice (first: ${first.promise?.text})`}`
    case 'unjudged':
      return `${promise?.text}: not judged, other programs kept ${round(otherWork)} cores busy`
    default:
      return ''
  }
}

export function toTable (rows: MeasuredRow[]): string {
  const subjects = [...new Set(rows.flatMap(({ results }) => Object.keys(results)))]
  const lines = rows.map(row => [
    row.what,
    row.unit,
    ...subjects.map(subject => subject in row.results ? cell(row.results[subject]) : ''),
    verdictText(row)
  ])

  return markdownTable([['', 'unit', ...subjects, 'promise'], ...lines], {
    align: ['l', 'l', ...subjects.map(() => 'r'), 'l']
  })
}

/**
 * One line for the terminal
 */
export function toLine (row: MeasuredRow): string {
  const { what, unit, results } = row
  const values = Object.entries(results).map(([subject, result]) => `${subject} ${cell(result)}`)
  const verdict = verdictText(row)

  return `${what}: ${values.join(', ')} ${unit}${verdict === '' ? '' : ` - ${verdict}`}`
}

function cell (result: Sample | number): string {
  return typeof result === 'number'
    ? round(result)
    : `${round(result.median)} (${round(result.min)} to ${round(result.max)})`
}
