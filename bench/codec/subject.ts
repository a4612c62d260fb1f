/**
 * One operation of one codec, in a process of its own, where no other message and no
 * other codec has influenced the compiler
 */
import assert from 'node:assert/strict'
import { answer } from '../lib/child.ts'
import { MAPPED, SOFTWARE, VECTORS } from './operations.ts'
import { checkVector, messages, ours } from './ours.ts'
import type { Codec, Operation, Size } from './operations.ts'

export type Subject = 'ours' | 'werift-ice' | '@msimerson/stun' | 'stun'

export interface Question {
  subject: Subject

  /**
   * Without one, count the checks of the RFC 5769 test vectors that pass
   */
  operation?: Operation
  size: Size

  /**
   * How long to measure, in ms of this process's time
   */
  duration: number
}

/**
 * The time between two readings of the clock, in ms
 */
const SLICE = 10

let run: (() => unknown) | undefined
let sink: unknown

answer(async ({ subject, operation, size, duration }: Question) => {
  const { codec, checkVector } = await load(subject)

  if (operation == null) {
    return VECTORS.flatMap(checkVector).filter(right => right).length
  }

  run ??= checked(codec, size, operation)

  return measure(run, duration)
})

async function load (subject: Subject): Promise<{ codec: Codec, checkVector(bytes: Buffer): boolean[] }> {
  if (subject === 'ours') {
    return { codec: ours, checkVector }
  }

  if (subject === 'werift-ice') {
    const { werift, checkVector } = await import('./werift.ts')

    return { codec: werift, checkVector }
  }

  const { StunPackage } = await import('./stun.ts')
  const stun = new StunPackage(subject)

  return { codec: stun.codec, checkVector: bytes => stun.checkVector(bytes) }
}

/**
 * @throws {AssertionError} the codec gives a wrong result
 */
function checked (codec: Codec, size: Size, operation: Operation): () => unknown {
  const bytes = messages(size)
  assert.equal(bytes.plain.byteLength, size)
  const run = codec(size, bytes)[operation]
  const result = run()
  const expected = {
    decode: { mapped: MAPPED.host, software: size === 32 ? undefined : SOFTWARE },
    encode: bytes.plain,
    'check FINGERPRINT': true,
    'add FINGERPRINT': bytes.fingerprint,
    'check MESSAGE-INTEGRITY': true,
    'add MESSAGE-INTEGRITY': bytes.integrity
  }[operation]

  assert.deepEqual(result instanceof Uint8Array ? Buffer.from(result) : result, expected)

  return run
}

/**
 * The CPU time of one call in ns: the minimum of all slices, as other load of the
 * machine can only add to it. A slice is long enough to include garbage collection.
 */
function measure (run: () => unknown, duration: number): number {
  const slices: number[] = []
  const begin = process.cpuUsage()
  let calls = 1

  while (spent(begin) < duration * 1e6) {
    const start = process.cpuUsage()

    for (let i = 0; i < calls; i++) {
      sink = run()
    }

    const time = spent(start)
    slices.push(time / calls)
    calls = Math.max(1, Math.round(calls * Math.min(10, SLICE * 1e6 / Math.max(time, 1))))
  }

  assert.notEqual(sink, undefined)

  return Math.min(...slices)
}

function spent (start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start)

  return (user + system) * 1_000
}
