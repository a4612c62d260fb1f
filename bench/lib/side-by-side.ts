/**
 * What one subject did in all rounds
 */
export interface Sample {
  median: number
  min: number
  max: number

  /**
   * One of each round, in their order
   */
  values: number[]
}

/**
 * Measure all subjects in turn, A B A B, so that what else the machine does
 * meets all of them. A first round warms up and does not count.
 */
export async function sideBySide<T extends string> (rounds: number, subjects: Record<T, () => Promise<number>>): Promise<Record<T, Sample>> {
  const names = Object.keys(subjects) as T[]
  const values = new Map<T, number[]>(names.map(name => [name, []]))

  for (let round = 0; round <= rounds; round++) {
    for (const name of names) {
      const value = await subjects[name]()

      if (round > 0) {
        values.get(name)?.push(value)
      }
    }
  }

  return Object.fromEntries(names.map(name => [name, toSample(values.get(name) ?? [])])) as Record<T, Sample>
}

export function toSample (values: number[]): Sample {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values), values }
}

/**
 * How many times b is a: the median of the rounds' own ratios, in which both met
 * the same machine
 */
export function ratio (a: Sample, b: Sample): number {
  return median(a.values.map((value, round) => value / b.values[round]))
}

export function median (values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1

  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
