import net from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { PublicMapping } from '../../src/mapping/index.ts'
import { bindSocket } from '../../src/net/bound-socket.ts'
import { byExtent } from '../fixtures/extent.ts'
import { ScriptedNAT, ScriptedServer } from '../fixtures/scripted-nat.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import { report } from '../nat-lab/report/index.ts'
import type { NATFault, ServerFault } from '../fixtures/scripted-nat.ts'

/**
 * 30 times as fast as the default. Every keep-alive is a Binding request.
 */
const KEEP_ALIVE = 500

/**
 * The NAT forgets three times as late
 */
const NAT_TIMEOUT = 3 * KEEP_ALIVE

/**
 * From the fault to a new address: one keep-alive interval with its tenth of jitter,
 * and for three round trips on loopback the least time that a server has to answer
 */
const RECOVERY = 1.1 * KEEP_ALIVE + 250

/**
 * How long each pair is watched, in ms
 */
const WATCH = 8 * KEEP_ALIVE

/**
 * A dial every so many ms
 */
const DIAL_INTERVAL = 20

/**
 * How many pairs at once: more would wait for each other
 */
const CONCURRENCY = 12

const NAT_FAULTS: NATFault[] = ['reboot', 'new address']
const SERVER_FAULTS: ServerFault[] = [
  'lie',
  'stop',
  'freeze',
  'hang up after each reply',
  'hang up after a while',
  'flood'
]
const FAULTS = [...SERVER_FAULTS, ...NAT_FAULTS]
type Fault = ServerFault | NATFault

interface Result {
  servers: number
  pair: [Fault, Fault]
  dials: number
  lost: number

  /**
   * From the faults to the last dial that was lost, in ms
   */
  recovery: number

  /**
   * Whether an honest server that had agreed before stayed connected
   */
  isHeld: boolean

  /**
   * Whether an honest server is left that answers
   */
  isRecoverable: boolean

  /**
   * Every address that was announced and that the NAT never had
   */
  lies: string[]
}

const isNATFault = (fault: Fault): fault is NATFault => NAT_FAULTS.some(name => name === fault)

async function run (servers: number, pair: [Fault, Fault]): Promise<Result> {
  const nat = new ScriptedNAT(NAT_TIMEOUT)
  // two liars do not know of each other
  const all = Array.from(
    { length: servers },
    (_, i) => new ScriptedServer(nat, { host: '11.66.66.66', port: 6_000 + i })
  )
  const uris = await Promise.all(all.map(async (server, i) => server.listen(`127.0.0.${i + 1}`)))
  const listener = net.createServer()
  const listening = pEvent(listener, 'listening')
  const bound = bindSocket({ host: '127.0.0.1', port: 0 })
  bound.listen(listener)
  await listening
  const mapping = new PublicMapping({
    listener: bound,
    stunServers: uris,
    keepAliveInterval: KEEP_ALIVE,
    minReconnectInterval: KEEP_ALIVE / 10
  })
  const announced = (): string | undefined =>
    'external' in mapping.status ? mapping.status.external.toString() : undefined
  const lies: string[] = []
  const honest = new Set<string>()
  const result: Result = { servers, pair, dials: 0, lost: 0, recovery: 0, isHeld: false, isRecoverable: false, lies }
  const note = (): void => { honest.add(`/ip4/${nat.external.host}/tcp/${nat.external.port}`) }
  mapping.addEventListener('status', () => {
    const address = announced()

    if (address != null && !honest.has(address)) {
      lies.push(address)
    }
  })

  try {
    note()
    await mapping.start()
    await waitUntil(
      'two servers hold the mapping',
      () => 'servers' in mapping.status && mapping.status.servers.length === 2
    )
    // the first server that a fault has is one that is connected
    const targets = all.toSorted((a, b) => Number(b.holds) - Number(a.holds))

    for (const [i, fault] of pair.entries()) {
      if (isNATFault(fault)) {
        nat.fail(fault)
        note()
      } else {
        await targets[i].fail(fault)
      }
    }

    result.isHeld = all.some(({ holds }) => holds)
    const isHonest = (i: number): boolean =>
      i >= pair.length || isNATFault(pair[i]) || ['hang up after each reply', 'hang up after a while'].includes(pair[i])
    result.isRecoverable = targets.filter((_, i) => isHonest(i)).length > pair.filter(fault => fault === 'lie').length
    const start = performance.now()

    while (performance.now() - start < WATCH) {
      result.dials++

      if (!nat.lets(announced())) {
        result.lost++
        result.recovery = performance.now() - start
      }

      await delay(DIAL_INTERVAL)
    }

    return result
  } finally {
    await mapping.stop()
    await Promise.all(all.map(async server => server.close()))
    listener.close()
  }
}

function pairs (): Array<{ servers: number, pair: [Fault, Fault] }> {
  return [2, 3, 4].flatMap(servers =>
    FAULTS.flatMap((a, i) => FAULTS.slice(i).map(b => ({ servers, pair: [a, b] as [Fault, Fault] })))
  )
}

const title = (pair: Fault[]): string => pair.join(', ')

/**
 * Two things go wrong at the same moment. While an honest server that agreed before
 * stays connected no dial is lost, otherwise there is a new address soon, and never
 * is an address announced that no honest server has reported.
 */
describe('pairs of faults', function () {
  this.timeout(600_000)

  const every = byExtent({ report: 1, full: 1, sample: 7 })
  const sample = pairs().filter((_, i) => i % every === 0)
  const results: Result[] = []

  before(async () => {
    const waiting = [...sample]

    await Promise.all(Array.from({ length: CONCURRENCY }, async () => {
      for (let next = waiting.shift(); next != null; next = waiting.shift()) {
        results.push(await run(next.servers, next.pair))
      }
    }))
  })

  after(async () => {
    const find = (servers: number, pair: Fault[]): Result | undefined =>
      results.find(result => result.servers === servers && title(result.pair) === title(pair))
    const titles = [...new Set(sample.map(({ pair }) => title(pair)))]
    await report.table('nat-matrix.md', 'pairs', [
      ['what', '2 servers', '3 servers', '4 servers'],
      ...titles.map(name => [
        name,
        ...[2, 3, 4].map(servers => describeResult(find(servers, name.split(', ') as Fault[])))
      ])
    ])
  })

  for (const { servers, pair } of sample) {
    it(`${title(pair)}: ${servers} servers`, () => {
      const result = results.find(result => result.servers === servers && title(result.pair) === title(pair))
      expect(result?.lies).to.be.empty()

      if (result?.isHeld === true) {
        expect(result.lost).to.equal(0)
      } else if (result?.isRecoverable === true) {
        // a busy machine is no reason to fail
        expect(result.recovery).to.be.below(report.isWhole ? RECOVERY : WATCH - 2 * DIAL_INTERVAL)
      }
    })
  }
})

function describeResult (result?: Result): string {
  if (result == null) {
    return ''
  }

  const { dials, lost, recovery, isHeld, isRecoverable, lies } = result

  if (lies.length > 0) {
    return `announced ${lies.join(' ')}`
  }

  if (lost === 0) {
    return '0 lost'
  }

  if (!isHeld && !isRecoverable) {
    return recovery > WATCH - 2 * DIAL_INTERVAL ? 'withdrawn' : `${Math.round(recovery)} ms`
  }

  return isHeld ? `${lost} of ${dials} lost` : `${Math.round(recovery)} ms`
}
