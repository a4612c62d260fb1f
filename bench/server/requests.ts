import { atLeast, atMost } from '../lib/promise.ts'
import { ratio, sideBySide, toSample } from '../lib/side-by-side.ts'
import { others, startCoturnServer, startOurs } from './subjects.ts'
import { using } from './under.ts'
import type { Transport } from './load.ts'
import type { Subject } from './subjects.ts'
import type { Under } from './under.ts'
import type { Sample } from '../lib/side-by-side.ts'

export interface RequestsOptions {
  rounds: number

  /**
   * How long each subject is asked in a round, in s
   */
  seconds: number

  /**
   * The numbers of connections, and those that a promise is about
   */
  connections: number[]
  promised: number[]

  /**
   * Whether servers are measured too that no promise is about
   */
  withOthers: boolean
}

/**
 * What part of coturn's CPU a request may cost, and what more is wanted; docs/benchmarks.md explains why
 */
function ofCoturn (transport: Transport, connections: number): { limit: number, text: string } {
  if (transport === 'tcp') {
    return { limit: 0.9, text: '0.9x coturn' }
  }

  return connections < 500 ? { limit: 1, text: '1x coturn' } : { limit: 1.2, text: '1.2x coturn, 1x is wanted' }
}

type Results = Record<string, Sample>

/**
 * Each connection sends a request as soon as it is answered
 */
export async function requests (
  under: Under,
  transport: Transport,
  { rounds, seconds, connections, promised, withOthers }: RequestsOptions
): Promise<void> {
  const { board, workers } = under
  const suffix = transport === 'tls' ? ' over TLS' : ''

  await using([async () => startOurs(workers), startCoturnServer, ...withOthers ? others() : []], async (...all) => {
    const subjects = all.filter(subject => transport === 'tcp' || subject.tlsPort != null)
    const lines = Object.fromEntries(subjects.map(({ name }) => [name, [] as Array<{ x: number, y: number }>]))

    for (const count of connections) {
      const { rate, cpu } = await ask(under, subjects, { transport, connections: count, rounds, seconds })
      const isPromised = promised.includes(count)
      const { limit, text } = ofCoturn(transport, count)

      board.add({
        what: `requests a second${suffix}, ${count} connections`,
        unit: '1/s',
        results: rate,
        promise: isPromised && transport === 'tcp' ? atLeast(ratio(rate.ours, rate.coturn), 1, 'coturn') : undefined
      })
      board.add({
        what: `CPU a request${suffix}, ${count} connections`,
        unit: 'us',
        results: cpu,
        promise: isPromised ? atMost(ratio(cpu.ours, cpu.coturn), limit, text) : undefined
      })
      subjects.forEach(({ name }) => lines[name].push({ x: count, y: cpu[name].median }))
    }

    board.chart(`server-cpu-${transport}`, {
      title: `CPU time that a request costs the server${suffix}`,
      x: { label: 'connections', log: true },
      y: { label: 'us' },
      lines
    })
  })
}

async function ask (
  { load }: Under,
  subjects: Subject[],
  { transport, connections, rounds, seconds }:
  Pick<RequestsOptions, 'rounds' | 'seconds'> & { transport: Transport, connections: number }
): Promise<{ rate: Results, cpu: Results }> {
  const cpu: Record<string, number[]> = {}

  const rate = await sideBySide(rounds, Object.fromEntries(subjects.map(subject => [subject.name, async () => {
    const report = await load.ask(subject, transport, connections, seconds)

    if (report.errors > 0) {
      throw new Error(`${report.errors} errors under load by ${subject.name}`)
    }

    (cpu[subject.name] ??= []).push(report.subjectCPU / report.answered * 1e6)

    return report.answered / report.seconds
  }])))

  // without the warm-up round
  const samples = Object.entries(cpu).map(([name, values]) => [name, toSample(values.slice(1))])

  return { rate, cpu: Object.fromEntries(samples) }
}
