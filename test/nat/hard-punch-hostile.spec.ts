import { expect } from 'aegir/chai'
import { byExtent } from '../fixtures/extent.ts'
import { laboratory } from '../fixtures/laboratory.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import { ALLOCATIONS, countSYNs } from '../nat-lab/index.ts'
import { setUp } from './homes.ts'
import type { Home, Homes } from './homes.ts'
import type { HardPunchMessage } from '../../src/dcutr/hard/message.ts'
import type { Program, ProgramEvent } from '../nat-lab/index.ts'
import type { Script, Step } from '../nat-lab/programs/scripted-partners.ts'

/**
 * What a peer may cost by default: SYNs to one address that it names
 */
const BUDGET = 64

type Offer = Extract<HardPunchMessage, { type: 'offer' }>
type Accept = Extract<HardPunchMessage, { type: 'accept' }>
type Start = Extract<HardPunchMessage, { type: 'start' }>

const BLOCK = [{ from: 20_480, to: 20_991 }]

/**
 * Hosts of the internet that nobody has: SYNs to them are lost
 */
const victim = (n: number): string => `11.9.0.${n}`
const offer = (offer: Partial<Offer>): Offer =>
  ({ type: 'offer', host: victim(1), ranges: BLOCK, connects: 32, probes: 64, ...offer })
const start = (start: Partial<Start> = {}): Start =>
  ({ type: 'start', order: 'hard-first', ranges: BLOCK, roundTrip: 40, ...start })
const accept = (host: string, accept: Partial<Accept> = {}): Accept =>
  ({ type: 'accept', endpoint: { host, port: 4_001 }, probes: 64, ...accept })

/**
 * STUN servers, the relay, and the partner
 */
const SERVERS = ['11.0.0.1', '11.0.0.2', '11.0.0.9', '11.0.0.20']
const EASY_ADDRESS = '11.2.0.1'
const HARD_ADDRESS = '11.1.0.1'

const REFUSED: Record<string, { offer: Offer, reason: string, announce?: string[] }> = {
  'a private address': { offer: offer({ host: '192.168.1.1' }), reason: 'bad-address' },
  'the loopback address': { offer: offer({ host: '127.0.0.1' }), reason: 'bad-address' },
  'a multicast address': { offer: offer({ host: '224.0.0.1' }), reason: 'bad-address' },
  'a reserved address': { offer: offer({ host: '240.0.0.1' }), reason: 'bad-address' },
  'the address of the victim': { offer: offer({ host: EASY_ADDRESS }), reason: 'same-address' },
  'the address of the relay': { offer: offer({ host: '11.0.0.9' }), reason: 'foreign-address' },
  'the address of a STUN server': { offer: offer({ host: '11.0.0.1' }), reason: 'foreign-address' },
  'another address than it announces': {
    offer: offer({}),
    announce: [`/ip4/${SERVERS[3]}/tcp/4001`],
    reason: 'foreign-address'
  },
  'well-known ports': { offer: offer({ ranges: [{ from: 1, to: 512 }] }), reason: 'bad-ports' },
  'a range that ends before it begins': { offer: offer({ ranges: [{ from: 2_000, to: 1_999 }] }), reason: 'bad-ports' },
  'all ports': { offer: offer({ ranges: [{ from: 1_024, to: 65_535 }] }), reason: 'too-many-ports' },
  'two thousand million connects': { offer: offer({ connects: 2 ** 31 - 1 }), reason: 'bad-ports' },
  'no probes': { offer: offer({ probes: 0 }), reason: 'bad-ports' }
}

/**
 * How a partner ends, at each step
 */
const ALL_ENDS: Step[] = ['silent', 'hang-up', 'reset', 'close', 'rubbish']
const ENDS = byExtent({ sample: ALL_ENDS.slice(0, 2), full: ALL_ENDS, report: ALL_ENDS })

describe('partners of a hard punch that misbehave', function () {
  this.timeout(300_000)

  const { create } = laboratory('all')
  const lab = {} as { easy: Victim, hard: Victim, partner: Program }

  /**
   * Each peer names an address of its own, as far as the limits of the victim allow
   */
  const hosts = Array.from({ length: 240 }, (_, i) => victim(i + 10))
  const nextHost = (): string => hosts.shift() ?? ''

  before(async () => {
    const created = await create()
    const homes = await setUp(created, {
      a: { nat: { ports: ALLOCATIONS['block of 512'] } },
      b: { nat: { filtering: 'address-and-port-dependent' } },
      latency: 5
    })
    lab.partner = (await created.host('partner', { address: '11.0.0.20' })).run('scripted-partners')
    await lab.partner.waitFor('ready')
    lab.easy = await Victim.start(homes, homes.b)
    lab.hard = await Victim.start(homes, homes.a)
  })

  after(async () => { await Promise.all([lab.easy.stop(), lab.hard.stop()]) })

  /**
   * @returns what the victim has made of it, and how many SYNs it has sent to whom
   */
  async function play (victim: Victim, script: Pick<Script, 'steps' | 'announce'>, host: string): Promise<Played> {
    const before = victim.outcomes.length
    const count = await countSYNs(victim.home.laptop, {
      // not those to the STUN server and the relay themselves
      named: `${host} tcp dport ${victim === lab.easy ? '!= { 3478, 4001 }' : '4001'}`,
      other: `!= { ${[...new Set([host, ...SERVERS])].join(', ')} }`
    }, { repeated: false })
    lab.partner.send('play', { address: victim.address, side: victim === lab.easy ? 'hard' : 'easy', ...script })

    if (victim === lab.easy) {
      // it knows what the partner announces
      const { id } = await lab.partner.waitFor('connected')
      await victim.program.happened(({ event, peer }) => event === 'identified' && peer === id)
      lab.partner.send('go')
    }

    const played = await lab.partner.waitFor('played')
    await waitUntil('the punch has ended', () => victim.outcomes.length > before)
    const { named, other } = await count()

    return { outcome: victim.outcomes[before], received: played.received, named, other }
  }

  async function expectUnharmed (victim: Victim, host: string): Promise<void> {
    expect(await victim.home.laptop.sh(`ss -Htan dst ${host}`)).to.equal('')
    expect(await victim.program.ask('addresses')).to.have.property('addresses')
  }

  describe('the easy side', () => {
    for (const [title, { offer, reason, announce }] of Object.entries(REFUSED)) {
      it(`an offer of ${title}: no SYN`, async () => {
        const script: Pick<Script, 'announce' | 'steps'> = { steps: [offer, 'receive'], announce }
        const { outcome, received, named, other } = await play(lab.easy, script, offer.host)

        expect({ outcome, named, other }).to.deep.equal({ outcome: reason, named: 0, other: 0 })
        expect(received).to.have.nested.property('[0].reason', reason)
      })
    }

    for (const end of ENDS) {
      it(`a partner that is accepted, and then "${end}": no SYN`, async () => {
        const host = nextHost()
        const { received, named, other } = await play(lab.easy, { steps: [offer({ host }), 'receive', end] }, host)

        expect(received[0]).to.include({ type: 'accept' })
        expect({ named, other }).to.deep.equal({ named: 0, other: 0 })
        await expectUnharmed(lab.easy, host)
      })
    }

    for (const [title, message, end] of [
      ['starts and is silent', start(), 'silent'],
      ['starts and resets the stream', start(), 'reset'],
      ['starts and hangs up', start(), 'hang-up'],
      ['starts, has us go first, and is silent', start({ order: 'easy-first' }), 'silent'],
      ['claims a round trip of 1000 hours', start({ roundTrip: 3_600_000_000 % 2 ** 31 }), 'silent']
    ] as Array<[string, Start, Step]>) {
      it(`a partner that ${title}: no more than ${BUDGET} SYNs`, async () => {
        const host = nextHost()
        const script: Pick<Script, 'announce' | 'steps'> = { steps: [offer({ host }), 'receive', message, end] }
        const { received, named, other } = await play(lab.easy, script, host)

        expect(received[0]).to.include({ type: 'accept' })
        expect(other).to.equal(0)
        expect(named).to.be.at.most(BUDGET)
        await expectUnharmed(lab.easy, host)
      })
    }

    it('a flood of offers from many peers behind one relay: one at a time', async () => {
      const count = await countSYNs(lab.easy.home.laptop, {
        named: '11.9.1.0/24',
        other: `!= { 11.9.1.0/24, ${SERVERS.join(', ')} }`
      })
      const before = lab.easy.outcomes.length
      const peers = 12

      for (let i = 0; i < peers; i++) {
        lab.partner.send('play', {
          address: lab.easy.address,
          side: 'hard',
          steps: [offer({ host: `11.9.1.${i + 1}` }), 'receive', start(), 'silent']
        })
        await lab.partner.waitFor('connected')
      }

      lab.partner.send('go')
      await waitUntil('all have ended', () => lab.easy.outcomes.length >= before + peers, 30_000)

      for (let i = 0; i < peers; i++) {
        await lab.partner.waitFor('played')
      }

      const outcomes = lab.easy.outcomes.slice(before)
      const refused = outcomes.filter(outcome => outcome === 'busy' || outcome === 'too-soon')
      const { named, other } = await count()

      expect(outcomes.filter(outcome => outcome === 'not-met').length + refused.length).to.equal(peers)
      expect(refused).to.not.be.empty()
      expect(other).to.equal(0)
      expect(named).to.be.at.most(BUDGET * (peers - refused.length))
    })
  })

  describe('the hard side', () => {
    for (const [title, host, reason] of [
      ['a private address', '192.168.1.1', 'bad-address'],
      ['the loopback address', '127.0.0.1', 'bad-address'],
      ['a multicast address', '239.1.2.3', 'bad-address'],
      ['the address of the victim', HARD_ADDRESS, 'same-address'],
      ['the address of the relay', '11.0.0.9', 'foreign-address'],
      ['the address of a STUN server', '11.0.0.2', 'foreign-address']
    ]) {
      it(`an acceptance with ${title}: no SYN`, async () => {
        const { outcome, named, other } = await play(lab.hard, { steps: ['receive', accept(host), 'receive'] }, host)

        expect({ outcome, named, other }).to.deep.equal({ outcome: reason, named: 0, other: 0 })
      })
    }

    for (const end of ENDS) {
      it(`a partner that gets an offer, and then "${end}": no SYN`, async () => {
        const host = nextHost()
        const { named, other } = await play(lab.hard, { steps: ['receive', end] }, host)

        expect({ named, other }).to.deep.equal({ named: 0, other: 0 })
      })

      it(`a partner that accepts, and then "${end}": no more than ${BUDGET} SYNs`, async () => {
        const host = nextHost()
        const { named, other } = await play(lab.hard, { steps: ['receive', accept(host), 'receive', end] }, host)

        expect(other).to.equal(0)
        expect(named).to.be.at.most(BUDGET)
        await expectUnharmed(lab.hard, host)
      })
    }

    it('a partner that wants to go first, and never says that it has: no SYN', async () => {
      const host = nextHost()
      const { received, named, other } = await play(lab.hard, {
        steps: ['receive', accept(host, { order: 'easy-first' }), 'receive', 'silent']
      }, host)

      expect(received[1], JSON.stringify(received)).to.include({ type: 'start', order: 'easy-first' })
      expect({ named, other }).to.deep.equal({ named: 0, other: 0 })
      await expectUnharmed(lab.hard, host)
    })

    it(`a partner that promises 2^31 probes, and sends none: no more than ${BUDGET} SYNs`, async () => {
      const host = nextHost()
      const { named, other } = await play(lab.hard, {
        steps: ['receive', accept(host, { probes: 2 ** 31 - 1, order: 'hard-first' }), 'receive', 'silent']
      }, host)

      expect(other).to.equal(0)
      expect(named).to.be.within(1, BUDGET)
      await expectUnharmed(lab.hard, host)
    })
  })
})

interface Played {
  outcome: string
  received: any[]
  named: number
  other: number
}

/**
 * A node of ours that is reached over the relay
 */
class Victim {
  readonly home: Home
  readonly program: Program
  readonly address: string

  private constructor (home: Home, program: Program, address: string) {
    this.home = home
    this.program = program
    this.address = address
  }

  static async start (homes: Homes, home: Home): Promise<Victim> {
    const program = home.laptop.run('node', {
      ...homes.options,
      dcutr: 'ours',
      announce: 'never',
      reserve: homes.relayAddress,
      // all partners come from the relay
      inboundConnectionThreshold: 100,
      // each partner has an ordinary upgrade beside it
      dcutrInit: { retries: 1, maxUpgrades: 100 }
    })
    const [{ id }] = await Promise.all([
      program.waitFor('started'),
      program.happened(({ event }: ProgramEvent) => event === 'reserved')
    ])

    return new Victim(home, program, `${homes.relayAddress}/p2p-circuit/p2p/${id}`)
  }

  /**
   * Of all hard punches
   */
  get outcomes (): string[] {
    return this.program.events.filter(({ event }) => event === 'hard-punch').map(({ outcome }) => outcome)
  }

  async stop (): Promise<void> {
    await this.program.stop()
  }
}
