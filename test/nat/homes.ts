import type { Firewall, Host, Lab, NATOptions, Network, Program, ProgramEvent, Router } from '../nat-lab/index.ts'
import type { NodeOptions } from '../nat-lab/programs/node.ts'

export const STUN_SERVERS = ['11.0.0.1', '11.0.0.2']
const STUN_SERVERS_6 = ['2a00::1', '2a00::2']
const RELAY = '11.0.0.9'
const RELAY_6 = '2a00::9'

/**
 * DCUtR's one-sided dial and three attempts, of 5 s each, in ms
 */
export const ALL_ATTEMPTS = 22_000

/**
 * What is echoed over each punched connection
 */
export const BYTES = 1_048_576

export interface Side {
  /**
   * With `carrier` there is another NAT before the home's, of the same options or others.
   * With `firewall` there is no NAT, and IPv6.
   */
  nat: NATOptions & { carrier?: boolean | NATOptions, firewall?: boolean }
  options?: Partial<NodeOptions>
}

/**
 * Two homes, and the latency between them in ms one way
 */
export interface Pair {
  a: Side
  b: Side
  latency: number

  /**
   * After how many ms the STUN servers close a connection
   *
   * @default never
   */
  hangUp?: number

  /**
   * Between the STUN servers and the internet, in ms one way
   *
   * @default 0
   */
  stunLatency?: number
}

export interface Homes extends Internet {
  a: Home
  b: Home
}

/**
 * What both homes need
 */
export interface Internet {
  stun: Host[]
  relay: Program
  relayHost: Host
  relayId: string
  relayAddress: string

  /**
   * Of the nodes at both
   */
  options: NodeOptions
}

export interface Home {
  laptop: Host
  routers: Array<Router | Firewall>
}

/**
 * Two homes, two STUN servers and a relay
 */
export async function setUp (lab: Lab, pair: Pair): Promise<Homes> {
  const internet = await setUpInternet(lab, { ...pair, version: pair.a.nat.firewall === true ? 6 : 4 })

  return { ...internet, ...await addHomes(lab, pair) }
}

/**
 * Two STUN servers and a relay
 */
export async function setUpInternet (
  lab: Lab,
  { version = 4, hangUp, stunLatency }: Pick<Pair, 'hangUp' | 'stunLatency'> & { version?: 4 | 6 } = {}
): Promise<Internet> {
  const v6 = version === 6
  const stun: Host[] = []

  for (const address of v6 ? STUN_SERVERS_6 : STUN_SERVERS) {
    const host = await lab.host(`stun${address.at(-1)}`, { address, latency: stunLatency })
    await host.run('stun-server', { host: address, hangUp }).waitFor('listening')
    stun.push(host)
  }

  const relayAddress = v6 ? `/ip6/${RELAY_6}/tcp/4001` : `/ip4/${RELAY}/tcp/4001`
  const relayHost = await lab.host('relay', { address: v6 ? RELAY_6 : RELAY })
  const relay = relayHost.run('node', {
    listen: [relayAddress],
    stock: true,
    relay: true,
    // many peers of a test have one address
    inboundConnectionThreshold: 100
  })
  const { id: relayId } = await relay.waitFor('started')

  return {
    stun,
    relay,
    relayHost,
    relayId,
    relayAddress: `${relayAddress}/p2p/${relayId}`,
    options: {
      listen: [v6 ? '/ip6/::/tcp/4001' : '/ip4/0.0.0.0/tcp/4001'],
      punch: true,
      stunServers: v6 ? STUN_SERVERS_6.map(host => `stun:[${host}]`) : STUN_SERVERS.map(host => `stun:${host}`),
      minReconnectInterval: 100
    }
  }
}

/**
 * Two homes on the internet. In a laboratory with more, each two have a number.
 */
export async function addHomes (
  lab: Lab,
  { a, b, latency }: Pick<Pair, 'a' | 'b' | 'latency'>,
  number = 1
): Promise<Pick<Homes, 'a' | 'b'>> {
  const v6 = a.nat.firewall === true
  const suffix = number === 1 ? '' : String(number)

  return {
    a: await home(lab, `a${suffix}`, v6 ? '2a00:1::1' : `11.1.0.${number}`, a, latency / 2),
    b: await home(lab, `b${suffix}`, v6 ? '2a00:2::1' : `11.2.0.${number}`, b, latency / 2)
  }
}

/**
 * A laptop behind its router, and a carrier's if there is one, at this external address.
 * The latency is between the home and the internet, in ms one way.
 */
export async function home (
  lab: Lab,
  name: string,
  address: string,
  { nat: { carrier = false, firewall = false, ...nat } }: Side,
  latency: number
): Promise<Home> {
  if (firewall) {
    const network = await lab.firewall(`router-${name}`, {
      address,
      latency,
      lan: `2a10:${name}::1/64`,
      filtering: nat.filtering
    })

    return { laptop: await lab.host(`laptop-${name}`, { address: `2a10:${name}::2`, network }), routers: [network] }
  }

  const routers: Router[] = []
  let network: Network | undefined

  if (carrier !== false) {
    const options = carrier === true ? nat : carrier
    routers.push(await lab.router(`carrier-${name}`, { address, lan: '100.64.0.1/24', latency, ...options }))
    network = routers[0]
  }

  routers.push(
    await lab.router(`router-${name}`, {
      address: network == null ? address : '100.64.0.2',
      network,
      latency: network == null ? latency : 0,
      ...nat
    })
  )

  return { laptop: await lab.host(`laptop-${name}`, { address: '192.168.1.2', network: routers.at(-1) }), routers }
}

/**
 * A dials B by the relay. All routers have forgotten what was before, unless they are
 * not to be rebooted.
 */
export async function meet (
  homes: Homes,
  sides: { a?: Side; b?: Side },
  { reboot = true }: { reboot?: boolean } = {}
): Promise<{ a: Program; b: Program; aId: string; bId: string }> {
  if (reboot) {
    await Promise.all([...homes.a.routers, ...homes.b.routers].map(async router => router.reboot()))
  }

  const { options } = homes
  const b = homes.b.laptop.run('node', { ...options, reserve: homes.relayAddress, ...sides.b?.options })
  const a = homes.a.laptop.run('node', { ...options, ...sides.a?.options })
  const [{ id: aId }, { id: bId }] = await Promise.all([a.waitFor('started'), b.waitFor('started')])
  a.send('dial', { address: homes.relayAddress })
  await Promise.all([
    b.happened(({ event }) => event === 'reserved'),
    a.happened(({ event, peer }) => event === 'identified' && peer === homes.relayId)
  ])
  a.send('dial', { address: `${homes.relayAddress}/p2p-circuit/p2p/${bId}` })

  return { a, b, aId, bId }
}

/**
 * @returns from the relayed connection to the direct one, in ms
 */
export async function punch (homes: Homes, cell: Pair): Promise<number> {
  const { a, b, aId, bId } = await meet(homes, cell)

  try {
    const relayed = await a.happened(isConnected(bId, true))
    const [direct] = await Promise.all([
      a.happened(isConnected(bId, false), ALL_ATTEMPTS),
      b.happened(isConnected(aId, false), ALL_ATTEMPTS)
    ])
    const echoed = await b.ask('echo', { address: `/p2p/${aId}`, bytes: BYTES }, 'echoed')

    if (echoed.equal !== true || echoed.bytes !== BYTES) {
      throw new Error(`The direct connection did not carry all data: ${JSON.stringify(echoed)}`)
    }

    return direct.time - relayed.time
  } finally {
    await Promise.all([a.stop(), b.stop()])
  }
}

export type Filter = (event: ProgramEvent) => boolean

export function isConnected (id: string, isRelayed: boolean): Filter {
  return ({ event, peer, relayed }) => event === 'connected' && peer === id && relayed === isRelayed
}
