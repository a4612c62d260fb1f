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
 * So many rounds at least are measured, and so many standard deviations more of them than half
 * must keep a promise until it is sure that the median of all would: chance alone does that once
 * in 700 times
 */
const FEWEST_ROUNDS = 9
const DEVIATIONS = 3

/**
 * Measure all subjects in turn, A B A B, so that other load of the machine affects all
 * of them. The first round is for warm-up and does not count.
 *
 * @param rounds - at most
 * @param subjects
 * @param isKept - whether a round by itself keeps the promise that is made about the median. Once
 * it is sure that this one will keep it, no more rounds are measured.
 * @param beforeRound - prepares the next round, counted from 0
 */
export async function sideBySide<T extends string> (
  rounds: number,
  subjects: Record<T, () => Promise<number>>,
  isKept: (round: Record<T, Sample>) => boolean = () => false,
  beforeRound: (round: number) => Promise<void> = async () => {}
): Promise<Record<T, Sample>> {
  const names = Object.keys(subjects) as T[]
  const all: Array<Record<T, number>> = []
  let kept = 0
  await measureRound()

  while (all.length < rounds && !isSure(kept, all.length)) {
    await beforeRound(all.length)
    const round = await measureRound()
    all.push(round)
    kept += isKept(toSamples([round])) ? 1 : 0
  }

  return toSamples(all)

  async function measureRound (): Promise<Record<T, number>> {
    const round: Partial<Record<T, number>> = {}

    for (const name of names) {
      round[name] = await subjects[name]()
    }

    return round as Record<T, number>
  }

  function toSamples (rounds: Array<Record<T, number>>): Record<T, Sample> {
    return Object.fromEntries(
      names.map(name => [name, toSample(rounds.map(round => round[name]))])
    ) as Record<T, Sample>
  }
}

function isSure (kept: number, rounds: number): boolean {
  return rounds >= FEWEST_ROUNDS && kept - rounds / 2 >= DEVIATIONS * Math.sqrt(rounds) / 2
}

export function toSample (values: number[]): Sample {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values), values }
}

export interface Ratio {
  value: number

  /**
   * The standard error of the value, as a part of it: 0.02 is 2 %
   */
  error: number
}

/**
 * The median of a / b over the rounds, in each of which both had the same conditions
 */
export function ratio (a: Sample, b: Sample): Ratio {
  const ratios = a.values.map((value, round) => value / b.values[round])

  return { value: median(ratios), error: errorOfMedian(ratios.map(Math.log)) }
}

/**
 * From the quartiles, which a few wild values do not change: the middle half of a normal distribution is 1.349
 * standard deviations wide, and the error of a median is 1.253 times that of a mean
 */
function errorOfMedian (values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const quarter = (sorted.length - 1) / 4
  const width = sorted[Math.ceil(3 * quarter)] - sorted[Math.floor(quarter)]

  return 1.253 * width / 1.349 / Math.sqrt(sorted.length)
}

export function median (values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1

  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
