/**
 * The results of one subject in all rounds
 */
export interface Sample {
  median: number
  min: number
  max: number

  /**
   * One value for each round, in order
   */
  values: number[]
}

/**
 * Measure all subjects in turn, A B A B, so that other load of the machine affects all
 * of them. The first round is for warm-up and does not count.
 */
export async function sideBySide<T extends string> (
  rounds: number,
  subjects: Record<T, () => Promise<number>>
): Promise<Record<T, Sample>> {
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
 * The median of a / b over the rounds, in each of which both had the same conditions
 */
export function ratio (a: Sample, b: Sample): number {
  return median(a.values.map((value, round) => value / b.values[round]))
}

export function median (values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1

  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
