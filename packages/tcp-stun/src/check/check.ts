import { isIP } from 'node:net'
import { portSharing } from 'libp2p-tcp-stun/net'
import { DEFAULT_STUN_SERVERS, parseSTUNURI } from 'libp2p-tcp-stun/stun'
import { findAdvice } from './advice.ts'
import { measure } from './measure.ts'
import { bestOf, findVerdict } from './verdict.ts'
import type { Advice } from './advice.ts'
import type { Measurement } from './measure.ts'
import type { Progress } from './progress.ts'
import type { FamilyReport, Verdict } from './verdict.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { STUNURI } from 'libp2p-tcp-stun/stun'

/**
 * This many of the public servers have to answer. Three outvote one that lies.
 */
const ENOUGH_PUBLIC_SERVERS = 3

const DEFAULT_TIMEOUT = 30_000

export interface CheckInit extends AbortOptions {
  /**
   * The STUN servers to ask, as RFC 7064 URIs. All of them are asked. Name two at
   * different addresses at least: one server cannot tell whether other hosts see
   * the same address.
   *
   * @default public servers, in turn until three have answered
   */
  stunServers?: string[]

  /**
   * Peers that serve AutoNAT v2. They are asked in turn to dial the public address.
   *
   * @default none
   */
  dialBackPeers?: Multiaddr[]

  /**
   * The IP versions to check
   *
   * @default those that the servers may have an address of
   */
  versions?: Array<4 | 6>

  /**
   * The local port, 0 for any
   *
   * @default 0
   */
  port?: number

  /**
   * The external port that the router forwards to `port`: peers are asked to dial it
   *
   * @default the mapped one
   */
  forwardedPort?: number

  /**
   * How long everything except `hold` may take, in ms
   *
   * @default 30_000
   */
  timeout?: number

  /**
   * How long to hold the connections to the servers afterwards, in ms; 0 does not
   *
   * @default 0
   */
  hold?: number

  /**
   * Accept a private address from a server
   *
   * @default false
   */
  allowPrivate?: boolean

  /**
   * Called with everything that is found out, at once
   */
  onProgress?(progress: Progress): void
}

export interface CheckReport {
  /**
   * The best one of all IP versions
   */
  verdict: Verdict

  families: FamilyReport[]

  /**
   * What would help, the easiest first
   */
  advice: Advice[]
}

/**
 * Find out what the NAT allows, for all IP versions at the same time
 *
 * @param init - Once its signal is aborted nothing more is reported. While the
 * connections are held, that ends the hold only.
 *
 * @throws {InvalidSTUNURIError} a server is not an RFC 7064 URI
 * @throws {AbortError} the signal was aborted before there was a result
 * @throws the system's error when the port cannot be listened on
 */
export async function check (init: CheckInit = {}): Promise<CheckReport> {
  if (portSharing() === 'unsupported') {
    return { verdict: { kind: 'unsupported' }, families: [], advice: [] }
  }

  const { stunServers, hold = 0, signal = new AbortController().signal } = init
  const servers = (stunServers ?? DEFAULT_STUN_SERVERS).map(uri => parseSTUNURI(uri))
  const onProgress = (progress: Progress): void => {
    // an interrupted query would look like a server that does not answer
    if (!signal.aborted) {
      init.onProgress?.(progress)
    }
  }

  signal.throwIfAborted()

  const settled = await Promise.allSettled((init.versions ?? versionsOf(servers)).map(async version => {
    const measurement = await measure(version, {
      servers,
      enough: stunServers == null ? ENOUGH_PUBLIC_SERVERS : Infinity,
      dialBackPeers: init.dialBackPeers ?? [],
      port: init.port ?? 0,
      forwardedPort: init.forwardedPort,
      allowPrivate: init.allowPrivate ?? false,
      deadline: AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(init.timeout ?? DEFAULT_TIMEOUT))]),
      onProgress
    })
    onProgress({ event: 'findings', version, findings: measurement.findings })

    return measurement
  }))
  const measurements = settled.flatMap(result => result.status === 'fulfilled' ? [result.value] : [])

  try {
    signal.throwIfAborted()

    const failed = settled.find(result => result.status === 'rejected')

    if (failed != null) {
      throw failed.reason
    }

    if (hold > 0) {
      await Promise.all(measurements.map(async measurement => holdAll(measurement, hold, signal, onProgress)))
    }
  } finally {
    measurements.forEach(({ asked }) => { asked.forEach(({ client }) => { client.close() }) })
  }

  const families = measurements.map(({ findings }) => ({ findings, verdict: findVerdict(findings) }))

  return {
    verdict: bestOf(families)?.verdict ?? { kind: 'no-address', because: 'no-server' },
    families,
    advice: findAdvice(families)
  }
}

/**
 * The IP versions that a server may have an address of
 */
function versionsOf (servers: STUNURI[]): Array<4 | 6> {
  return ([4, 6] as const).filter(version => servers.some(({ host }) => isIP(host) === 0 || isIP(host) === version))
}

async function holdAll (
  { findings, asked }: Measurement,
  ms: number,
  signal: AbortSignal,
  onProgress: (progress: Progress) => void
): Promise<void> {
  if (asked.length > 0) {
    onProgress({ event: 'hold', version: findings.version, seconds: ms / 1_000 })
    // few checks need it
    const { holdConnections } = await import('./hold.ts')
    findings.held = await holdConnections(asked, ms, signal, held => {
      onProgress({ event: 'ended', version: findings.version, held })
    })
  }
}
