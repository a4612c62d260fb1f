import { isIP } from 'node:net'
import { isLoopback, isSameEndpoint } from 'libp2p-tcp-stun/net'
import { askOtherAddresses, askServers } from './ask-servers.ts'
import { findCarrierNAT, findNAT64 } from './carrier-nat.ts'
import { resolvePeers, splitServers } from './dial-back-peers.ts'
import { askDialBack } from './dial-back.ts'
import { askHairpin } from './hairpin.ts'
import { localAddresses } from './local-addresses.ts'
import { findMapping } from './mapping-behaviour.ts'
import { ownListener } from './own-listener.ts'
import type { AskedServer, AskServersInit } from './ask-servers.ts'
import type { DialBackPeer } from './dial-back-peers.ts'
import type { FailedQuery, Findings, PayloadRewriting } from './findings.ts'
import type { HairpinResult } from './hairpin.ts'
import type { OwnListener } from './own-listener.ts'
import type { Progress } from './progress.ts'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { STUNURI } from 'libp2p-tcp-stun/stun'

const LOCAL_HOSTS = {
  4: { any: '0.0.0.0', loopback: '127.0.0.1' },
  6: { any: '::', loopback: '::1' }
}

/**
 * What needs an external address
 */
type Dials = Pick<Findings, 'hairpin' | 'dialBack'>

/**
 * What the servers said
 */
type Observed = Pick<Findings, 'version' | 'addresses' | 'port' | 'failures'> & { asked: AskedServer[] }

const NO_DIALS: Dials = { hairpin: 'not-asked', dialBack: { outcome: 'not-asked', because: 'no-address' } }

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

  if (servers.length === 0 || (addresses.length === 0 && !onLoopback)) {
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
  const findings = (dials?: Dials): Findings => conclude(observed, dials)

  try {
    const peers = await resolvePeers(version, init.dialBackPeers, deadline)
    const { atPeers, elsewhere } = await splitServers(version, servers, peers, deadline)
    await askServers(elsewhere, enough, askInit)

    if (asked.length === 0) {
      await askServers(atPeers.splice(0), enough, askInit)
    }

    const unclear = ['unknown', 'endpoint-dependent'].includes(findings().mapping)

    if (unclear && asked.some(({ result }) => result.otherAddress != null)) {
      onProgress({ event: 'step', version, step: 'others' })
      await askOtherAddresses(asked, askInit)
    }

    const dials = await dialExternal(findings(), listener, peers, init)
    await askServers(atPeers, enough, askInit)

    return { findings: findings(dials), asked }
  } catch (err) {
    asked.forEach(({ client }) => { client.close() })
    throw err
  } finally {
    listener.close()
  }
}

/**
 * Dial the external address, from inside and from outside
 */
async function dialExternal (
  { version, external, direct, views }: Findings,
  listener: OwnListener,
  peers: DialBackPeer[],
  { deadline, onProgress }: MeasureInit
): Promise<Dials> {
  if (external == null) {
    return NO_DIALS
  }

  let hairpin: HairpinResult = 'not-asked'

  if (!direct) {
    onProgress({ event: 'step', version, step: 'hairpin' })
    hairpin = await askHairpin(external, listener, deadline)
  }

  if (peers.length > 0) {
    onProgress({ event: 'step', version, step: 'dial-back' })
  }

  // a libp2p node listens on the same port next
  listener.close()

  const dialBack = await askDialBack({
    peers: peers.map(({ address }) => address),
    external,
    local: listener,
    contacted: new Set(views.map(({ endpoint }) => endpoint.host)),
    signal: deadline
  })

  return { hairpin, dialBack }
}

function conclude ({ version, addresses, port, asked, failures }: Observed, dials = NO_DIALS): Findings {
  const { behaviour, external, dissenters } = findMapping(asked)
  const local = asked[0]?.result.local
  const direct = external != null && isSameEndpoint(external, local)

  return {
    version,
    addresses,
    port,
    local,
    views: asked.map(({ server, endpoint, external, roundTrip, software }) => ({
      server,
      endpoint,
      external,
      roundTrip,
      software
    })),
    failures,
    mapping: behaviour,
    external,
    dissenters,
    direct,
    rewriting: findRewriting(asked),
    carrier: findCarrierNAT({ local, direct, external, views: asked, failures }),
    nat64: findNAT64({ version, failures }),
    ...dials
  }
}

function findRewriting (asked: AskedServer[]): PayloadRewriting {
  if (asked.some(({ result }) => result.rewritten != null)) {
    return 'yes'
  }

  return asked.some(({ result }) => result.mappedAddress != null) ? 'no' : 'unknown'
}
