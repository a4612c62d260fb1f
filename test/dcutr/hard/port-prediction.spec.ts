import { expect } from 'aegir/chai'
import { chanceToMeet } from '../../../src/dcutr/hard/chance.ts'
import { DEFAULT_BUDGET, planPunch } from '../../../src/dcutr/hard/plan.ts'
import { predictPorts } from '../../../src/dcutr/hard/port-prediction.ts'
import { sizeOf } from '../../../src/dcutr/hard/range.ts'
import { bracketedPorts } from '../../../src/dcutr/hard/sequential.ts'
import { shuffle } from '../../../src/runtime/random.ts'
import { block, busy, chained, counting, drawing, portSet, preserving } from '../../fixtures/port-nats.ts'
import { seededRandom } from '../../fixtures/seeded-random.ts'
import type { Plan } from '../../../src/dcutr/hard/plan.ts'
import type { PortPrediction, PortRange, PortSample } from '../../../src/dcutr/hard/port-prediction.ts'
import type { Random } from '../../../src/runtime/random.ts'
import type { PortNAT } from '../../fixtures/port-nats.ts'

const HOST = '11.1.0.1'
const LISTENER = 4_001
const RUNS = 400

/**
 * A node asks three servers at once, and renews a connection every 20 s
 */
function observe (nat: PortNAT, count: number): PortSample[] {
  return Array.from({ length: count }, (_, i) => ({
    localPort: LISTENER,
    externalHost: HOST,
    externalPort: nat(LISTENER),
    at: i < 3 ? i : (i - 2) * 20_000
  }))
}

function sampleOf (nat: PortNAT, at = 0): PortSample {
  return { localPort: 50_000 + at, externalHost: HOST, externalPort: nat(50_000 + at), at }
}

/**
 * How often `run` succeeds
 */
function shareOf (run: (random: Random) => boolean): number {
  const random = seededRandom(1)
  let successes = 0

  for (let i = 0; i < RUNS; i++) {
    successes += run(random) ? 1 : 0
  }

  return successes / RUNS
}

function tryToPlan (prediction: PortPrediction): Plan | undefined {
  try {
    return planPunch(prediction, [DEFAULT_BUDGET])
  } catch {
    // there would be too little chance
  }
}

/**
 * What `RUNS` runs of this chance show at least, by three standard deviations
 */
function atLeast (chance: number): number {
  return chance - 3 * Math.sqrt((chance * (1 - chance)) / RUNS)
}

interface Drawn {
  title: string
  ranges: PortRange[]
  samples: number
  connects: number
  probes: number

  /**
   * How much larger the learned range may be than the real one
   */
  excess?: number
  carrier?: boolean
}

const DRAWN: Drawn[] = [
  { title: 'a set of MAP-E', ranges: portSet(0x9c), samples: 6, connects: 15, probes: 64 },
  { title: 'a set of MAP-E at a carrier', ranges: portSet(0x21), samples: 3, connects: 15, probes: 64, carrier: true },
  { title: 'a block of 512', ranges: block(20_480, 512), samples: 8, connects: 32, probes: 64, excess: 1.1 },
  {
    title: 'a block of 512, few samples',
    ranges: block(20_480, 512),
    samples: 3,
    connects: 32,
    probes: 64,
    excess: 1.6
  },
  {
    title: 'a block of 512 at a carrier',
    ranges: block(4_608, 512),
    samples: 8,
    connects: 32,
    probes: 64,
    excess: 1.1,
    carrier: true
  },
  {
    title: 'a block of 1 000 at an odd place',
    ranges: block(5_000, 1_000),
    samples: 8,
    connects: 62,
    probes: 64,
    excess: 1.4
  },
  { title: 'a block of 1 024', ranges: block(30_720, 1_024), samples: 8, connects: 64, probes: 64, excess: 1.1 },
  { title: 'a block of 2 048', ranges: block(40_960, 2_048), samples: 8, connects: 64, probes: 64, excess: 1.1 },
  {
    title: '32768 to 60999',
    ranges: [{ from: 32_768, to: 60_999 }],
    samples: 6,
    connects: 256,
    probes: 512,
    excess: 1.1
  },
  {
    title: '32768 to 60999, few samples',
    ranges: [{ from: 32_768, to: 60_999 }],
    samples: 3,
    connects: 256,
    probes: 512,
    excess: 1.6
  },
  { title: 'all ports', ranges: [{ from: 1_024, to: 65_535 }], samples: 6, connects: 256, probes: 1_024, excess: 1.1 }
]

describe('port prediction', () => {
  it('knows no port without a sample', () => {
    expect(predictPorts([])).to.include({ type: 'unknown' })
  })

  it('a NAT that preserves ports, but not the one that another host has', () => {
    const samples = [4_002, 50_001, 50_002].map((localPort, at) =>
      ({ ...sampleOf(preserving, at), localPort, externalPort: localPort }))

    expect(predictPorts(samples)).to.deep.equal({ type: 'preserved' })
    expect(predictPorts([...samples, { ...samples[0], localPort: LISTENER, externalPort: 6_543 }]))
      .to.deep.equal({ type: 'preserved' })
  })

  for (const [title, create, connects] of [
    ['steps of 1', () => counting(20_000, 1), 4],
    ['steps of 2', () => counting(20_000, 2), 4],
    ['steps of 256', () => counting(1_024, 256), 4],
    [
      'steps of 1 with few foreign connections',
      (random: Random) => busy(counting(20_000, 1), () => Math.floor(random() * 3)),
      4
    ],
    [
      'steps of 1 with foreign connections',
      (random: Random) => busy(counting(20_000, 1), () => Math.floor(random() * 6)),
      8
    ],
    [
      'steps of 256 with foreign connections',
      (random: Random) => busy(counting(1_024, 256), () => Math.floor(random() * 3)),
      4
    ],
    [
      'steps at the carrier, random ports at home',
      (random: Random) => chained(drawing(random, block(30_000, 20_000)), counting(20_000, 1)),
      4
    ]
  ] as Array<[string, (random: Random) => PortNAT, number]>) {
    it(`${title}: the ports between two Bindings contain one of ours`, () => {
      const met = shareOf(random => {
        const nat = create(random)
        const prediction = predictPorts(observe(nat, 4))

        if (prediction.type !== 'sequential') {
          return false
        }

        const before = sampleOf(nat, 1)
        const ours = Array.from({ length: connects }, (_, i) => nat(51_000 + i))
        const probed = bracketedPorts(before, sampleOf(nat, 2), { ...prediction, connects, limit: 64 })

        return probed.length <= 64 && probed.some(port => ours.includes(port))
      })

      expect(met).to.be.at.least(0.95)
    })
  }

  for (const [step, foreign] of [[1, 0], [1, 1], [2, 0], [2, 1], [256, 0], [256, 1]]) {
    it(`three Bindings at once show steps of ${step}, with ${foreign} foreign connections between two`, () => {
      const nat = busy(counting(20_000, step), () => foreign)
      expect(predictPorts(observe(nat, 3))).to.deep.equal({ type: 'sequential', step: step * (foreign + 1) })
    })
  }

  it('steps of 1 beside 400 foreign connections a second, in a busy process: a block, or a NAT that counts', () => {
    // as observed: two Bindings at the start, and two before the punch
    const samples = [[0, 21_018], [14, 21_024], [660, 21_281], [681, 21_289]]
      .map(([at, externalPort]) => ({ localPort: LISTENER, externalHost: HOST, externalPort, at }))
    const prediction = predictPorts(samples)

    expect(prediction).to.include({ type: 'block', mayCount: true })
    expect(tryToPlan(prediction)?.ports).to.include({ source: 'ranges', mayCount: true })
    // any fall says that it does not
    expect(predictPorts(samples.map((sample, i) => i === 2 ? { ...sample, externalPort: 21_020 } : sample)))
      .to.not.have.property('mayCount')
  })

  it('ports that are drawn at random are hardly ever taken for sequential', () => {
    for (const [ranges, samples] of [
      [portSet(0x9c), 3],
      [block(20_480, 512), 3],
      [block(20_480, 512), 8],
      [block(20_480, 2_048), 5],
      [block(1_024, 64_512), 3]
    ] as const) {
      const taken = shareOf(random => predictPorts(observe(drawing(random, ranges), samples)).type === 'sequential')
      expect(taken).to.be.at.most(0.015)
    }
  })

  for (const { title, ranges, samples, connects, probes, excess = 1, carrier = false } of DRAWN) {
    it(`${title}: probes and connects meet as often as the arithmetic says`, () => {
      const size = sizeOf(ranges)
      const met = shareOf(random => {
        const drawn = drawing(random, ranges)
        const nat = carrier ? chained(drawing(random, block(30_000, 20_000)), drawn) : drawn
        const prediction = predictPorts(observe(nat, samples))

        if (prediction.type !== 'block' && prediction.type !== 'wide') {
          return false
        }

        const learned = prediction.type === 'block' ? prediction.ranges : [prediction]
        const ours = new Set(Array.from({ length: connects }, (_, i) => nat(51_000 + i)))
        const probe = drawing(random, learned)

        return Array.from({ length: Math.min(probes, sizeOf(learned)) }, () => probe(0)).some(port => ours.has(port))
      })

      expect(met).to.be.at.least(atLeast(chanceToMeet(Math.round(size * excess), connects, probes)))
    })
  }

  for (const [size, samples] of [[512, 3], [512, 4], [1_024, 3], [1_024, 5]]) {
    it(`${samples} ports of a block of ${size} are known: what is planned meets as often as if all were`, () => {
      const met = shareOf(random => {
        const nat = drawing(random, block(20_480, size))
        const prediction = predictPorts(observe(nat, samples))

        // by chance, as the test above says
        if (prediction.type !== 'block') {
          return true
        }

        const plan = tryToPlan(prediction)

        if (plan == null) {
          return false
        }

        const { ports, connects, probes } = plan
        const ours = new Set(Array.from({ length: connects }, (_, i) => nat(51_000 + i)))
        const probe = drawing(random, ports.source === 'ranges' ? ports.ranges : [])

        return Array.from({ length: probes }, () => probe(0)).some(port => ours.has(port))
      })

      expect(met).to.be.at.least(atLeast(chanceToMeet(size, size / 16, 64)))
    })
  }

  it('the arithmetic of meetings', () => {
    expect(chanceToMeet(64_512, 256, 1_024)).to.be.closeTo(0.983, 0.001)
    expect(chanceToMeet(512, 32, 96)).to.be.closeTo(0.999, 0.001)
    expect(chanceToMeet(240, 16, 96)).to.be.closeTo(0.9998, 0.0001)
    expect(chanceToMeet(10, 10, 1)).to.equal(1)
    expect(chanceToMeet(10, 0, 10)).to.equal(0)
    expect(chanceToMeet(10, 1, 100)).to.equal(1)
  })

  it('several public addresses: no idea', () => {
    const samples = observe(counting(20_000, 1), 6)
    samples[3] = { ...samples[3], externalHost: '11.1.0.2' }

    expect(predictPorts(samples)).to.include({ type: 'unknown' })
      .and.to.have.property('reason').that.includes('several public addresses')
  })

  it('one port again and again is no port of the next connection', () => {
    expect(predictPorts(observe(() => 23_456, 6))).to.include({ type: 'unknown' })
  })

  it('two far ports: too few to tell', () => {
    expect(predictPorts(observe(drawing(seededRandom(1), block(20_000, 20_000)), 2))).to.include({ type: 'unknown' })
  })

  it('rubbish is left out', () => {
    const good = observe(counting(20_000, 1), 4)
    const rubbish = [
      { externalPort: 0 }, { externalPort: -1 }, { externalPort: 65_536 }, { externalPort: 1.5 }, { externalPort: NaN },
      { localPort: NaN }, { externalHost: 'example.org' }, { externalHost: '' }, { at: NaN }, { at: Infinity }
    ].map(wrong => ({ ...good[0], ...wrong }))

    expect(predictPorts(rubbish)).to.include({ type: 'unknown' })
    expect(predictPorts(shuffle([...good, ...rubbish], seededRandom(1)))).to.deep.equal({ type: 'sequential', step: 1 })
  })

  it('a bracket of a NAT that began again, or is not sequential, is empty', () => {
    const at = (externalPort: number): PortSample => ({ ...sampleOf(() => 1), externalPort })
    const options = { step: 1, connects: 4, limit: 64 }

    expect(bracketedPorts(at(65_530), at(1_030), options)).to.deep.equal([])
    expect(bracketedPorts(at(20_000), at(20_004), options)).to.deep.equal([])
    expect(bracketedPorts(at(20_000), at(20_005), options)).to.deep.equal([20_001, 20_002, 20_003, 20_004])
    expect(bracketedPorts(at(20_000), { ...at(20_005), externalHost: '11.1.0.2' }, options)).to.deep.equal([])
  })

  it('a bracket has at most as many ports as wanted, those of the step first', () => {
    const at = (externalPort: number): PortSample => ({ ...sampleOf(() => 1), externalPort })

    expect(bracketedPorts(at(20_000), at(20_256 * 1 + 1_024), { step: 256, connects: 4, limit: 64 }))
      .to.deep.equal([20_256, 20_512, 20_768, 21_024])
    expect(bracketedPorts(at(20_000), at(60_000), { step: 1, connects: 4, limit: 64 })).to.have.lengthOf(64)
    expect(bracketedPorts(at(20_000), at(20_012), { step: 2, connects: 4, limit: 64 }).slice(0, 6))
      .to.deep.equal([20_002, 20_004, 20_006, 20_008, 20_010, 20_001])
  })
})
