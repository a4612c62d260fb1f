/* eslint-disable no-console */
/**
 * Fuzz the codec, the decoder, the server's side of a connection, the PROXY header,
 * IP addresses and, with fewer inputs, the server's whole pipeline with PROXY and
 * TLS, guided by the coverage of their branches: `npm run fuzz`, with `-- --seconds
 * 60 --inputs 10000000 --pipeline 20 --seed 1 --save` as wanted. `--pipeline` is the
 * number of its inputs for each 1 000 of the others.
 *
 * Begins with the inputs of fuzz/corpus.txt. With --save it replaces them by the
 * smallest set of inputs with the same coverage. Ends with 1 at the first input that
 * makes a target throw, hang, differ or grow.
 */
import { parseArgs } from 'node:util'
import { loadCorpus, saveCorpus } from './corpus.ts'
import { coverage, forget, sawNew } from './coverage.ts'
import { Chance, mutate } from './mutate.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    inputs: { type: 'string', default: 'Infinity' },
    // it waits for the event loop, so it takes far longer than the others
    pipeline: { type: 'string', default: '20' },
    seed: { type: 'string' },
    save: { type: 'boolean', default: false }
  }
})
const seed = Number(values.seed ?? Date.now() % 2 ** 31)
const inputs = Number(values.inputs)
// a count is not cut short by the time
const deadline = values.inputs === 'Infinity' ? performance.now() + Number(values.seconds) * 1_000 : Infinity

/**
 * One input, in ms: far above what any takes, also on a busy machine
 */
const MAX_TIME = 1_000

/**
 * The process, in bytes, from when it is warm
 */
const MAX_GROWTH = 64 * 1024 * 1024
const WARM_AFTER = 100_000

// after coverage.ts, which counts in what is loaded from now on
const { fuzzAddress, fuzzCodec, fuzzDecoder, fuzzProxy, fuzzServer, seeds } = await import('./targets.ts')
const { WAYS, fuzzPipeline, pipelineSeeds } = await import('./pipeline.ts')
const targets = Object.entries({
  codec: fuzzCodec,
  decoder: fuzzDecoder,
  server: fuzzServer,
  proxy: fuzzProxy,
  address: fuzzAddress
})
const chance = new Chance(seed)
const corpus: Uint8Array[] = []
let warm = Infinity
let done = 0
let slowest = 0
let throughPipeline = 0

console.info(`seed ${seed}`)

function fail (target: string, bytes: Uint8Array, why: string): never {
  console.error(`${target} fails after ${done} inputs (seed ${seed}): ${why}\n${Buffer.from(bytes).toString('hex')}`)
  process.exit(1)
}

function timed (name: string, target: (bytes: Uint8Array) => void, bytes: Uint8Array): number {
  const start = performance.now()

  try {
    target(bytes)
  } catch (err: any) {
    fail(name, bytes, err.stack)
  }

  return performance.now() - start
}

function run (bytes: Uint8Array): void {
  for (const [name, target] of targets) {
    let time = timed(name, target, bytes)

    // not when the machine did something else meanwhile
    for (let again = 0; time > MAX_TIME && again < 3; again++) {
      time = timed(name, target, bytes)
    }

    slowest = Math.max(slowest, time)

    if (time > MAX_TIME) {
      fail(name, bytes, `it took ${time} ms`)
    }
  }

  if (sawNew()) {
    corpus.push(bytes)
  }

  done++
}

for (const bytes of [...seeds(), ...loadCorpus()]) {
  run(bytes)
}

async function runPipeline (bytes: Uint8Array, ways?: typeof WAYS): Promise<void> {
  await fuzzPipeline(bytes, ways).catch(err => { fail('pipeline', bytes, err.stack) })

  if (sawNew()) {
    corpus.push(bytes)
  }

  throughPipeline++
}

for (const bytes of await pipelineSeeds()) {
  corpus.push(bytes)
  await runPipeline(bytes, WAYS)
}

while (done < inputs && performance.now() < deadline) {
  for (let i = 0; i < 1_000 && done < inputs; i++) {
    run(mutate(corpus, chance))
  }

  for (let i = 0; i < Number(values.pipeline); i++) {
    await runPipeline(mutate(corpus, chance))
  }

  if (done >= WARM_AFTER && warm === Infinity) {
    warm = memory()
  }

  if (done % 1_000_000 < 1_000) {
    report()
  }
}

report()

if (memory() - warm > MAX_GROWTH) {
  fail('memory', new Uint8Array(0), `it grew from ${warm} to ${memory()} bytes`)
}

if (values.save) {
  saveCorpus(shortest())
}

/**
 * The shortest inputs that reach together what the whole corpus reaches
 */
function shortest (): Uint8Array[] {
  const all = corpus.splice(0).sort((a, b) => a.byteLength - b.byteLength)
  forget()
  all.forEach(run)

  return corpus
}

function memory (): number {
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()

  return heapUsed + external
}

function report (): void {
  const { places, reached } = coverage()
  console.info(
    `${done} inputs, ${throughPipeline} through the pipeline, ${reached} of ${places} branches and functions, ` +
      `corpus ${corpus.length}, slowest ${slowest.toFixed(1)} ms`
  )
}
