import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { CONNECT, HolePunch, SYNC } from '../../src/dcutr/message.ts'
import { laboratory } from '../fixtures/laboratory.ts'
import { countSYNs } from '../nat-lab/index.ts'
import { setUp } from './homes.ts'
import type { Homes } from './homes.ts'
import type { Program, ProgramEvent } from '../nat-lab/index.ts'
import type { Script, Step } from '../nat-lab/programs/scripted-partners.ts'

/**
 * All attempts of one punch, on a busy machine, in ms
 */
const PATIENCE = 40_000

/**
 * How many addresses of one message are dialled, and how often a peer may ask in vain
 */
const MAX_ADDRESSES = 8
const MAX_ANSWERS = 9

/**
 * A host of the internet that resets connections to it
 */
const REFUSING = '11.10.0.1'

const OWN_ADDRESS = '11.2.0.1'
const OWN_PORT = 4001

const message = (type: number, ...addresses: string[]): Step =>
  hex(HolePunch.encode({ type, addresses: addresses.map(address => multiaddr(address).bytes) }))
const hex = (bytes: Uint8Array): Step => ({ hex: Buffer.from(bytes).toString('hex') })
const connect = (...addresses: string[]): Step => message(CONNECT, ...addresses)
const sync = message(SYNC)
const CONNECT_TYPE = [0x08, CONNECT]

interface Case {
  /**
   * @param host - of the internet, which nobody has: SYNs to it are lost. Each case has
   * 256 of its own.
   */
  steps(host: (i: number) => string): Step[]
  side?: Script['side']

  /**
   * How many endpoints may be dialled
   */
  budget: number

  /**
   * What the failure says
   */
  says?: string
}

const NO_ADDRESS = 'The peer sent no public TCP address'
const NOT_CONNECT = 'in place of CONNECT'

/**
 * What a partner does in place of an honest exchange
 */
const CASES: Record<string, Case> = {
  'answers CONNECT twice: only the first counts': {
    steps: host => [
      'receive', connect(`/ip4/${host(1)}/tcp/4001`), connect(...several(host, 2, 8)), 'receive', 'silent'
    ],
    budget: 1
  },
  'answers SYNC before CONNECT': { steps: () => ['receive', sync, 'silent'], budget: 0, says: NOT_CONNECT },
  'answers CONNECT with no address': { steps: () => ['receive', connect(), 'silent'], budget: 0, says: NO_ADDRESS },
  'answers one address 300 times': {
    steps: host => ['receive', connect(...Array(300).fill(`/ip4/${host(1)}/tcp/4001`)), 'receive', 'silent'],
    budget: 1
  },
  'answers an address of 10 KB': {
    steps: host => ['receive', connect(`/ip4/${host(1)}/tcp/4001`, `/dns4/${'a'.repeat(10_000)}/tcp/80`), 'silent'],
    budget: 0
  },
  'answers an address of 3 KB beside a good one': {
    steps: host => ['receive', connect(`/dns4/${'a'.repeat(3_000)}/tcp/80`, `/ip4/${host(1)}/tcp/4001`), 'silent'],
    budget: 1
  },
  'answers with names only': {
    steps: () => [
      'receive',
      connect('/dns4/localhost/tcp/80', '/dns/router.lan/tcp/80', '/dns6/printer.lan/tcp/631', '/dnsaddr/private.lan'),
      'silent'
    ],
    budget: 0,
    says: NO_ADDRESS
  },
  'answers with addresses that nobody may be sent to': {
    steps: host => [
      'receive',
      connect(
        '/ip4/0.0.0.0/tcp/80', '/ip4/127.0.0.1/tcp/80', '/ip4/192.168.1.1/tcp/80', '/ip4/10.0.0.1/tcp/80',
        '/ip4/100.64.0.1/tcp/80', '/ip4/169.254.169.254/tcp/80', '/ip4/224.0.0.1/tcp/80', '/ip4/255.255.255.255/tcp/80',
        '/ip6/::1/tcp/80', '/ip6/::/tcp/80', '/ip6/::ffff:192.168.1.1/tcp/80', '/ip6/::ffff:127.0.0.1/tcp/80',
        '/ip6/64:ff9b::c0a8:101/tcp/80', '/ip6/2002:c0a8:101::1/tcp/80', '/ip6/fe80::1/tcp/80', '/ip6/ff02::1/tcp/80',
        `/ip4/${host(1)}/tcp/0`, `/ip4/${host(1)}/udp/4001/quic-v1`, `/ip4/${host(1)}/tcp/80/ws`
      ),
      'silent'
    ],
    budget: 0,
    says: NO_ADDRESS
  },
  'answers with our own address': {
    steps: () => ['receive', connect(`/ip4/${OWN_ADDRESS}/tcp/${OWN_PORT}`), 'silent'],
    budget: 0,
    says: NO_ADDRESS
  },
  'answers with an address by a relay': {
    steps: host => ['receive', connect(`/ip4/${host(1)}/tcp/4001/p2p-circuit`), 'silent'],
    budget: 0,
    says: NO_ADDRESS
  },
  'answers a type of 2^40': {
    steps: () => ['receive', hex(Uint8Array.from([0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20])), 'silent'],
    budget: 0,
    says: NOT_CONNECT
  },
  'answers a negative type': {
    steps: () => ['receive', hex(Uint8Array.from([0x08, ...Array(9).fill(0xff), 0x01])), 'silent'],
    budget: 0,
    says: 'varint'
  },
  'answers a field that says it is longer than the message': {
    steps: () => ['receive', hex(Uint8Array.from([...CONNECT_TYPE, 0x12, 0xff, 0x7f, 4])), 'silent'],
    budget: 0,
    says: 'more than are left'
  },
  'answers nothing at all': { steps: () => ['receive', hex(new Uint8Array()), 'silent'], budget: 0, says: NOT_CONNECT },
  'asks with SYNC before CONNECT': { side: 'asks', steps: () => [sync, 'silent'], budget: 0, says: NOT_CONNECT },
  'asks with CONNECT twice': {
    side: 'asks',
    steps: host => [connect(`/ip4/${host(1)}/tcp/4001`), 'receive', connect(...several(host, 2, 8)), 'silent'],
    budget: 0,
    says: 'in place of SYNC'
  },
  'asks with CONNECT, and sends SYNC a hundred times': {
    side: 'asks',
    steps: host => [connect(`/ip4/${host(1)}/tcp/4001`), 'receive', ...Array<Step>(100).fill(sync), 'silent'],
    budget: 1
  },
  'asks on two streams at once': {
    side: 'asks',
    steps: host => [
      connect(`/ip4/${host(1)}/tcp/4001`), 'receive', 'again', connect(`/ip4/${host(2)}/tcp/4001`), sync, 'silent'
    ],
    budget: 0
  },
  'asks again and again, with ports of a host that refuses them': {
    side: 'asks',
    steps: () => Array.from({ length: 2 * MAX_ANSWERS }, (_, i): Step[] => [
      ...(i === 0 ? [] : ['again' as const]),
      connect(...Array.from({ length: 9 }, (_, port) => `/ip4/${REFUSING}/tcp/${5_000 + 16 * i + port}`)),
      'receive', sync, 'end'
    ]).flat(),
    budget: MAX_ANSWERS * MAX_ADDRESSES
  }
}

function several (host: (i: number) => string, first: number, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `/ip4/${host(first + i)}/tcp/4001`)
}

describe('partners of a punch that misbehave', function () {
  this.timeout(300_000)

  const { create } = laboratory('all')
  const results = new Map<string, { dialled: number, failure: ProgramEvent }>()
  const peers = new Map<string, string>()
  let homes: Homes
  let ours: Program
  let ourAddress: string
  let other: number
  let partners: Program

  before(async () => {
    const lab = await create()
    const nat = { filtering: 'address-and-port-dependent' } as const
    homes = await setUp(lab, { a: { nat }, b: { nat }, latency: 0 })
    await lab.host('refusing', { address: REFUSING })
    partners = (await lab.host('stranger', { address: '11.0.0.20' })).run('scripted-partners')
    ours = homes.b.laptop.run('node', {
      ...homes.options,
      dcutr: 'ours',
      announce: 'never',
      reserve: homes.relayAddress,
      inboundConnectionThreshold: 1_000,
      dcutrInit: { retries: 1, maxUpgrades: 100 }
    })
    const [{ id }] = await Promise.all([
      ours.waitFor('started'),
      partners.waitFor('ready'),
      ours.happened(({ event }) => event === 'reserved')
    ])
    ourAddress = `${homes.relayAddress}/p2p-circuit/p2p/${id}`
    await playAll()
  })

  /**
   * All of them at the same time: most of them wait
   */
  async function playAll (): Promise<void> {
    const cases = Object.entries(CASES)
    const count = await countSYNs(homes.b.laptop, {
      own: OWN_ADDRESS,
      other: `!= { 11.9.0.0/16, 11.0.0.0/24, ${OWN_ADDRESS}, ${REFUSING} }`,
      ...Object.fromEntries(cases.map((_, i) => [`case${i}`, `11.9.${i}.0/24`])),
      [`case${cases.length - 1}`]: REFUSING
    }, { repeated: false })

    for (const [i, [name, { steps, side = 'is asked' }]] of cases.entries()) {
      const host = (n: number): string => `11.9.${i}.${n}`
      partners.send('play', { name, address: ourAddress, side, steps: steps(host) } satisfies Script)
      // libp2p handles ten new connections at a time
      const { id } = await partners.happened(event => event.event === 'connected' && event.name === name)
      peers.set(name, id)
    }

    partners.send('go')
    const failures = await Promise.all(cases.map(async ([name]) => ours.happened(
      ({ event, peer }) => event === 'hole-punch:failure' && peer === peers.get(name), PATIENCE
    )))
    await Promise.all(cases.filter(([, { side }]) => side === 'asks').map(async ([name]) =>
      partners.happened(event => event.event === 'played' && event.name === name, 2 * PATIENCE)))
    const counts: Record<string, number> = await count()

    for (const [i, [name]] of cases.entries()) {
      results.set(name, { dialled: counts[`case${i}`], failure: failures[i] })
    }

    other = counts.other + counts.own
  }

  for (const [name, { budget, says }] of Object.entries(CASES)) {
    it(`a partner that ${name}: at most ${budget} endpoints are dialled`, () => {
      const { dialled, failure } = results.get(name) ?? {}

      expect(dialled).to.be.at.most(budget)
      expect(failure?.message).to.include(says ?? '')
    })
  }

  it('all relayed connections carry data', async () => {
    for (const [name, id] of peers) {
      const echoed = await ours.ask('echo', { address: `/p2p/${id}`, bytes: 1_000 }, 'echoed')
      expect(echoed, name).to.include({ equal: true })
    }
  })

  it('nothing else was dialled', () => {
    expect(other).to.equal(0)
  })

  it('the node is unharmed', async () => {
    await ours.stop()
    expect(ours.events.at(-1)).to.include({ event: 'exit', code: 0 })
  })
})
