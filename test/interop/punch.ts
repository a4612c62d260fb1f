import { byExtent } from '../fixtures/extent.ts'
import { buildHome, STUN_SERVERS } from './network.ts'
import { startPeer } from './peers.ts'
import type { Home, PublicPeer } from './network.ts'
import type { Language, PeerOptions } from './peers.ts'
import type { Lab, NATOptions, Program, ProgramEvent } from '../nat-lab/index.ts'

const DCUTR = '/libp2p/dcutr'

/**
 * All attempts of DCUtR, in ms: go tries a one-sided dial and three punches, of
 * 5 s each
 */
const PUNCH_TIMEOUT = 25_000

const BYTES = 1_048_576

/**
 * The results of several punches
 */
export interface Punches {
  attempts: number
  succeeded: number

  /**
   * From the relayed connection to the direct one, in ms, of those that succeeded
   */
  times: number[]

  /**
   * Why the others failed
   */
  failures: string[]
}

export interface PunchOptions {
  /**
   * Further options of A and B
   */
  both?: PeerOptions

  /**
   * Further options of B
   */
  b?: PeerOptions

  /**
   * Called after each punch, while B runs
   */
  onPunched?(b: Program): Promise<void>
}

/**
 * In a sample a punch that fails is made up for by one more: all have to succeed there, and
 * the programs of a busy machine may be too slow for one
 */
const SPARE = byExtent({ sample: 1, full: 0, report: 0 })

/**
 * A dials B through a relay repeatedly. The routers forget everything before each punch.
 */
export async function punchRepeatedly (
  lab: Lab,
  relay: PublicPeer,
  languages: { a: Language; b: Language },
  nats: Record<'a' | 'b', NATOptions & { latency: number }>,
  times: number,
  options: PunchOptions = {}
): Promise<Punches> {
  const a = await buildHome(lab, 'a', '11.1.0.1', nats.a)
  const b = await buildHome(lab, 'b', '11.2.0.1', nats.b)
  const result: Punches = { attempts: 0, succeeded: 0, times: [], failures: [] }

  while (result.attempts < times + Math.min(SPARE, result.failures.length)) {
    result.attempts++
    await Promise.all([a.router.reboot(), b.router.reboot()])

    try {
      result.times.push(await punch(a, b, relay, languages, options))
      result.succeeded++
    } catch (err: any) {
      result.failures.push(err.message)
    }
  }

  return result
}

/**
 * @returns how long it took, in ms
 * @throws {Error} there is no direct connection that carries data
 */
async function punch (
  homeA: Home,
  homeB: Home,
  relay: PublicPeer,
  languages: { a: Language; b: Language },
  { both, b: bOptions, onPunched }: PunchOptions
): Promise<number> {
  // AutoNAT would find out that strangers cannot dial the address
  const options: PeerOptions = {
    punch: true,
    stunServers: STUN_SERVERS,
    minReconnectInterval: 100,
    announce: 'never',
    ...both
  }
  const b = startPeer(homeB.laptop, languages.b, { ...options, ...bOptions, reserve: relay.address })
  const a = startPeer(homeA.laptop, languages.a, options)

  try {
    const [{ id: aId }, { id: bId }] = await Promise.all([a.waitFor('started'), b.waitFor('started')])
    a.send('dial', { address: relay.address })
    await Promise.all([
      a.happened(isReady(languages.a, relay.id)),
      b.happened(isReady(languages.b, relay.id)),
      b.happened(({ event }) => event === 'reserved')
    ])

    a.send('dial', { address: `${relay.address}/p2p-circuit/p2p/${bId}` })
    await b.happened(isConnected(aId, true))
    const start = performance.now()
    await Promise.all([
      a.happened(isConnected(bId, false), PUNCH_TIMEOUT),
      b.happened(isConnected(aId, false), PUNCH_TIMEOUT)
    ])
    const duration = performance.now() - start
    const echoed = await echoDirectly(languages, { a, b, aId, bId })

    if (echoed.equal !== true || echoed.bytes !== BYTES) {
      throw new Error(`The direct connection did not carry all data: ${JSON.stringify(echoed)}`)
    }

    await onPunched?.(b)

    return duration
  } finally {
    await Promise.all([a.stop(), b.stop()])
  }
}

interface Pair {
  a: Program
  b: Program
  aId: string
  bId: string
}

/**
 * js and go prefer the direct connection. rust uses any, so it sends only where both
 * are rust, and after it has closed the relayed connection.
 */
async function echoDirectly (languages: { a: Language, b: Language }, { a, b, aId, bId }: Pair): Promise<ProgramEvent> {
  if (languages.b !== 'rust') {
    return b.ask('echo', { address: `/p2p/${aId}`, bytes: BYTES }, 'echoed')
  }

  if (languages.a === 'rust') {
    await a.happened(({ event, peer }) => event === 'disconnected' && peer === bId)
  }

  return a.ask('echo', { address: `/p2p/${bId}`, bytes: BYTES }, 'echoed')
}

type Filter = (event: any) => boolean

function isConnected (id: string, isRelayed: boolean): Filter {
  return ({ event, peer, relayed }) => event === 'connected' && peer === id && relayed === isRelayed
}

/**
 * A peer punches only once it knows its public address. go serves the protocol from
 * then on.
 */
function isReady (language: Language, relayId: string): Filter {
  return ({ event, peer, added }) => language === 'go'
    ? event === 'protocols' && added.includes(DCUTR)
    : event === 'identified' && peer === relayId
}

export function median (values: number[]): number | undefined {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]
}
