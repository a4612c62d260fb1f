import { isIP } from 'node:net'
import { isLoopback } from 'libp2p-tcp-stun/net'
import { askOtherAddresses, askServers } from './ask-servers.ts'
import { conclude } from './conclude.ts'
import { askHairpin } from './hairpin.ts'
import { hopDistance } from './hop-distance.ts'
import { localAddresses } from './local-addresses.ts'
import { ownListener } from './own-listener.ts'
import { findPortMapping } from './port-mapping.ts'
import type { AskedServer, AskServersInit } from './ask-servers.ts'
import type { Dials } from './conclude.ts'
import type { DialBackPeer } from './dial-back-peers.ts'
import type { FailedQuery, Findings } from './findings.ts'
import type { OwnListener } from './own-listener.ts'
import type { PortMapping } from './port-mapping.ts'
import type { Progress } from './progress.ts'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Endpoint } from 'libp2p-tcp-stun/net'
import type { STUNURI } from 'libp2p-tcp-stun/stun'

const LOCAL_HOSTS = {
  4: { any: '0.0.0.0', loopback: '127.0.0.1' },
  6: { any: '::', loopback: '::1' }
}

/**
 * A packet to the external address passes our router twice at most, which is not
 * further away than the nearest server. This much is added, in ms.
 */
const INSIDE_MARGIN = 100

export interface Measurement {
  findings: Findings

  /**
   * The servers that have answered. The caller closes their connections.
   */
  asked: AskedServer[]
}

export interface MeasureInit {
  servers: STUNURI[]

  /**
   * How many servers have to answer. With more than there are, all are asked.
   */
  enough: number

  dialBackPeers: Multiaddr[]
  port: number

  /**
   * The external port that the router forwards to `port`: peers outside are asked to
   * dial it in place of the mapped one
   */
  forwardedPort?: number
  allowPrivate: boolean

  /**
   * Once it is aborted, what is not known yet stays unknown
   */
  deadline: AbortSignal

  onProgress(progress: Progress): void
}

/**
 * Find out everything about one IP version, from one local port
 *
 * @throws the system's error when the port cannot be listened on
 */
export async function measure (version: 4 | 6, init: MeasureInit): Promise<Measurement> {
  const { enough, allowPrivate, deadline, onProgress } = init
  const servers = init.servers.filter(({ host }) => isIP(host) === 0 || isIP(host) === version)
  const onLoopback = servers.length > 0 && servers.every(({ host }) => host === 'localhost' || isLoopback(host))
  const addresses = localAddresses(version)
  const asked: AskedServer[] = []
  const failures: FailedQuery[] = []
  const start = { event: 'start' as const, version, addresses, servers: servers.map(({ uri }) => uri) }
  const isOffline = addresses.every(({ scope }) => scope === 'link-local')

  if (servers.length === 0 || (isOffline && !onLoopback)) {
    onProgress(start)

    return { findings: conclude({ version, addresses, asked, failures }), asked }
  }

  // only a loopback address reaches a server on loopback, and it reaches no other
  const listener = await ownListener(LOCAL_HOSTS[version][onLoopback ? 'loopback' : 'any'], init.port)
  onProgress({ ...start, port: listener.port })

  const askInit: AskServersInit = {
    local: listener,
    allowPrivate,
    signal: deadline,
    onAnswer: view => {
      asked.push(view)
      onProgress({ event: 'answer', version, view })
    },
    onFailure: failure => {
      failures.push(failure)
      onProgress({ event: 'failure', version, failure })
    }
  }
  const observed = { version, addresses, port: listener.port, asked, failures }
  const findings = (dials?: Dials, portMapping?: PortMapping): Findings => conclude(observed, dials, portMapping)
  const others = Promise.withResolvers<void>()
  const portMapping = onLoopback
    ? undefined
    : findPortMapping(version, { others: others.promise, signal: deadline }).catch(() => undefined)

  try {
    const { peers, atPeers, elsewhere } = await findPeers(version, servers, init)
    await askServers(elsewhere, enough, askInit)

    if (asked.length === 0) {
      await askServers(atPeers.splice(0), enough, askInit)
    }

    // a report names them in the order in which they were given
    asked.sort((a, b) => servers.indexOf(a.uri) - servers.indexOf(b.uri))
    const otherAddresses = askOthers(findings(), asked, askInit, onProgress)

    // it may be among what the others say
    if (findings().external == null) {
      await otherAddresses
    }

    const [inside] = await Promise.all([dialFromInside(findings(), listener, deadline, onProgress), otherAddresses])
    const outside = await dialFromOutside(findings(), listener, peers, init)
    await askServers(atPeers, enough, askInit)
    others.resolve()

    return { findings: findings({ ...inside, ...outside }, await portMapping), asked }
  } catch (err) {
    asked.forEach(({ client }) => { client.close() })
    throw err
  } finally {
    others.resolve()
    listener.close()
  }
}

interface Peers {
  peers: DialBackPeer[]

  /**
   * The servers that share an IP address with one of them, and the others
   */
  atPeers: STUNURI[]
  elsewhere: STUNURI[]
}

/**
 * The peers that can be asked to dial in
 */
async function findPeers (
  version: 4 | 6, servers: STUNURI[], { dialBackPeers, deadline }: MeasureInit
): Promise<Peers> {
  if (dialBackPeers.length === 0) {
    return { peers: [], atPeers: [], elsewhere: servers }
  }

  // multiaddrs take as long to load as all the rest
  const { resolvePeers, splitServers } = await import('./dial-back-peers.ts')
  const peers = await resolvePeers(version, dialBackPeers, deadline)

  return { peers, ...await splitServers(version, servers, peers, deadline) }
}

/**
 * Ask the servers at other addresses and ports, where the first answers do not tell
 * how the NAT maps
 */
async function askOthers (
  { version, mapping, direct }: Findings,
  asked: AskedServer[],
  init: AskServersInit,
  onProgress: (progress: Progress) => void
): Promise<void> {
  const isUnclear = !direct && (mapping === 'unknown' || mapping === 'endpoint-dependent')

  if (isUnclear && asked.some(({ result }) => result.otherAddress != null)) {
    onProgress({ event: 'step', version, step: 'others' })
    await askOtherAddresses(asked, init)
  }
}

/**
 * Dial the external address from inside
 */
async function dialFromInside (
  findings: Findings,
  listener: OwnListener,
  signal: AbortSignal,
  onProgress: (progress: Progress) => void
): Promise<Pick<Dials, 'hairpin' | 'distance'>> {
  const { version, external, direct, views } = findings
  const host = publicHost(findings)

  if (host == null || direct) {
    return { hairpin: 'not-asked' }
  }

  const timeout = 2 * Math.min(...views.map(({ roundTrip }) => roundTrip)) + INSIDE_MARGIN
  onProgress({ event: 'step', version, step: 'hairpin' })
  const [hairpin, distance] = await Promise.all([
    external == null ? 'not-asked' as const : askHairpin(external, listener, timeout, signal),
    version === 4 ? hopDistance(host, timeout, signal) : undefined
  ])

  return { hairpin, distance }
}

/**
 * Have a peer outside dial the external address
 */
async function dialFromOutside (
  findings: Findings,
  listener: OwnListener,
  peers: DialBackPeer[],
  { deadline, onProgress, forwardedPort }: MeasureInit
): Promise<Pick<Dials, 'dialed' | 'dialBack'>> {
  const { version, views } = findings
  const dialed = addressToDial(findings, forwardedPort)

  if (dialed == null) {
    return { dialBack: { outcome: 'not-asked', because: 'no-address' } }
  }

  if (peers.length === 0) {
    return { dialed, dialBack: { outcome: 'not-asked', because: 'no-peer' } }
  }

  onProgress({ event: 'step', version, step: 'dial-back' })
  // a libp2p node listens on the same port next
  listener.close()

  // brings libp2p with it, which nobody else waits for
  const { askDialBack } = await import('./dial-back.ts')
  const dialBack = await askDialBack({
    peers: peers.map(({ address }) => address),
    external: dialed,
    local: listener,
    contacted: new Set(views.map(({ endpoint }) => endpoint.host)),
    signal: deadline
  })

  return { dialed, dialBack }
}

function addressToDial (findings: Findings, forwardedPort?: number): Endpoint | undefined {
  const host = publicHost(findings)

  return forwardedPort == null || host == null ? findings.external : { host, port: forwardedPort }
}

/**
 * Most NATs change only the port from destination to destination
 */
function publicHost ({ external, views }: Findings): string | undefined {
  const hosts = new Set(views.map(({ external }) => external.host))

  return external?.host ?? (hosts.size === 1 ? [...hosts][0] : undefined)
}
