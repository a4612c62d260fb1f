import { isIP } from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import type { Host, Lab, Router } from './lab.ts'
import type { NATOptions } from './nat-options.ts'
import type { Program } from '../child/program.ts'
import type { STUNServerInit } from './programs/stun-server.ts'
import type { Endpoint } from '../../src/address/endpoint.ts'

/**
 * Seconds of silence after which the router forgets a mapping: 15 times as fast as
 * a home router, which takes a minute
 */
export const NAT_TIMEOUT = 4

/**
 * The defaults of the mapping, 10 to 20 times as fast
 */
export const FAST = { keepAliveInterval: 1_000, minReconnectInterval: 500 }

export type ServerKind = Omit<STUNServerInit, 'host'> | {
  /**
   * Debian's coturn, which keeps a connection for this many seconds
   */
  coturn: number
}

export interface HomeInit extends NATOptions {
  /**
   * The STUN servers on the internet
   */
  servers: ServerKind[]

  /**
   * Between the home's router and the internet, in ms one way
   */
  latency?: number

  /**
   * What runs at home: a plain TCP server with a `PublicMapping`, or a node of libp2p
   *
   * @default 'mapping'
   */
  program?: 'mapping' | 'node'

  /**
   * Options of the program
   */
  options?: object

  /**
   * What is to be done before the program starts
   */
  prepare?(home: Pick<Home, 'servers' | 'router' | 'laptop'>): Promise<void>
}

export interface Home {
  servers: Array<{ host: Host, program: Program }>
  router: Router
  laptop: Host

  /**
   * A program on the internet that can dial the home
   */
  stranger: Program

  /**
   * The program at home
   */
  program: Program

  /**
   * The address that the program has announced
   */
  external: string
}

/**
 * A home behind a router with endpoint-independent filtering, random external ports
 * and a short timeout, so that a lost mapping shows
 */
export async function setUpHome (lab: Lab, init: HomeInit): Promise<Home> {
  const { servers: kinds, latency, program: name = 'mapping', options = {}, prepare, ...nat } = init
  const servers: Home['servers'] = []

  for (const [i, kind] of kinds.entries()) {
    const host = await lab.host(`stun${i + 1}`, { address: `11.0.0.${i + 1}` })
    servers.push({ host, program: await startServer(host, kind) })
  }

  const stranger = (await lab.host('stranger', { address: '11.0.0.99' })).run('dialler')
  const router = await lab.router('router', {
    address: '11.1.0.1',
    filtering: 'endpoint-independent',
    ports: 'random',
    timeout: NAT_TIMEOUT,
    latency,
    ...nat
  })
  const laptop = await lab.host('laptop', { address: '192.168.1.2', network: router })
  await prepare?.({ servers, router, laptop })
  const program = laptop.run(name, {
    ...(name === 'node' ? { listen: ['/ip4/0.0.0.0/tcp/4001'] } : {}),
    stunServers: servers.map(({ host }) => `stun:${host.address}`),
    ...FAST,
    ...options
  })
  await program.waitFor('started')

  return { servers, router, laptop, stranger, program, external: lastMapping(program)?.external }
}

/**
 * @throws {RangeError} an option is invalid; the message names it
 */
function validateServer (kind: ServerKind): void {
  if ('coturn' in kind) {
    if (!Number.isInteger(kind.coturn) || kind.coturn < 1) {
      throw new RangeError(`coturn must be a whole number of seconds from 1 on, not ${kind.coturn}`)
    }

    return
  }

  const { hangUp, lie, port = 3478 } = kind

  if (hangUp != null && hangUp !== 'after-reply' && !(hangUp > 0)) {
    throw new RangeError(`hangUp must be after-reply or a number of milliseconds above 0, not ${hangUp}`)
  }

  if (lie != null && (isIP(lie.host) === 0 || !isPort(lie.port))) {
    throw new RangeError(`lie must be an IP address and a port, not ${JSON.stringify(lie)}`)
  }

  if (!isPort(port)) {
    throw new RangeError(`port must be a whole number from 1 to 65535, not ${port}`)
  }
}

function isPort (port: number): boolean {
  return Number.isInteger(port) && port > 0 && port <= 65_535
}

/**
 * Start or restart a STUN server in a host
 *
 * @throws {RangeError} an option is invalid; the message names it
 */
export async function startServer (host: Host, kind: ServerKind): Promise<Program> {
  const { address } = host
  validateServer(kind)

  if ('coturn' in kind) {
    const coturn = host.exec('sh', [
      '-c',
      '"$@" & pid=$!; cat > /dev/null; kill $pid',
      'coturn',
      'turnserver',
      '-v',
      '-n',
      '--no-cli',
      '--no-udp',
      '--no-tls',
      '--no-dtls',
      '--log-file=stdout',
      '--simple-log',
      `--listening-ip=${address}`,
      `--relay-ip=${address}`,
      '--listening-port=3478',
      `--pidfile=/run/${host.name}.pid`,
      `--max-allocate-timeout=${kind.coturn}`
    ])
    await coturn.waitFor('line', ({ text }) => text.includes('TCP listener opened'))

    return coturn
  }

  const server = host.run('stun-server', { host: address, ...kind })
  await server.waitFor('listening')

  return server
}

/**
 * The host and port of a multiaddr like /ip4/1.2.3.4/tcp/5
 */
export function toEndpoint (address: string): Endpoint {
  const [host, port] = multiaddr(address).getComponents()

  return { host: host.value ?? '', port: Number(port.value) }
}

/**
 * The last status of a program's mapping
 */
export function lastMapping (program: Program): any {
  return program.events.filter(({ event }) => event === 'mapping').at(-1)
}

/**
 * Every address of the program's mapping, in order
 */
export function externalAddresses (program: Program): string[] {
  const all = program.events.filter(({ event }) => event === 'mapping').map(({ external }) => external)

  return all.filter((external, i) => i === 0 || external !== all[i - 1])
}
