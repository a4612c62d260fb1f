import { isIP } from 'node:net'
import { isLoopback, isSameEndpoint } from 'libp2p-tcp-stun/net'
import { askOtherAddresses, askServers } from './ask-servers.ts'
import { findCarrierNAT } from './carrier-nat.ts'
import { askHairpin } from './hairpin.ts'
import { findHelpers, setApart } from './helpers.ts'
import { localAddresses } from './local-addresses.ts'
import { findMapping } from './mapping-behaviour.ts'
import { askOutside } from './outside.ts'
import { ownListener } from './own-listener.ts'
import type { AskedServer, AskServersInit } from './ask-servers.ts'
import type { CheckInit } from './check.ts'
import type { Findings, PayloadRewriting, ServerFailure } from './findings.ts'
import type { HairpinResult } from './hairpin.ts'
import type { Helper } from './helpers.ts'
import type { OwnListener } from './own-listener.ts'

const LOCAL_HOSTS = {
  4: { any: '0.0.0.0', loopback: '127.0.0.1' },
  6: { any: '::', loopback: '::1' }
}

const NOT_ASKED: Pick<Findings, 'hairpin' | 'outside'> = { hairpin: 'not-asked', outside: { outcome: 'not-asked', because: 'no-address' } }

export interface Measurement {
  findings: Findings

  /**
   * The servers that have answered, whose connections the caller closes
   */
  asked: AskedServer[]
}

export interface MeasureInit extends CheckInit {
  /**
   * When whatever is not known yet stays unknown
   */
  deadline: AbortSignal
}

/**
 * All that can be seen of one IP version, from one local port
 *
 * @throws the system's error when the port can not be listened on
 */
export async function measure (version: 4 | 6, init: MeasureInit): Promise<Measurement> {
  const { enough, allowPrivate, deadline, onProgress } = init
  const servers = init.servers.filter(({ host }) => isIP(host) === 0 || isIP(host) === version)
  const onLoopback = servers.length > 0 && servers.every(({ host }) => host === 'localhost' || isLoopback(host))
  const addresses = localAddresses(version)
  const asked: AskedServer[] = []
  const failures: ServerFailure[] = []
  const start = { event: 'start' as const, version, addresses, servers: servers.map(({ uri }) => uri) }

  if (servers.length === 0 || (addresses.length === 0 && !onLoopback)) {
    onProgress(start)

    return { findings: concluded({ version, addresses, asked, failures }), asked }
  }

  // a server on loopback sees loopback addresses only, others none of those
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
  const look = (rest: Pick<Findings, 'hairpin' | 'outside'> = NOT_ASKED): Findings => concluded({ version, addresses, port: listener.port, asked, failures }, rest)

  try {
    const helpers = await findHelpers(version, init.helpers, deadline)
    // whom this port has talked to is no stranger any more
    const { strangers, others } = await setApart(version, servers, helpers, deadline)
    await askServers(others, enough, askInit)

    if (asked.length === 0) {
      await askServers(strangers.splice(0), enough, askInit)
    }

    if (['unknown', 'endpoint-dependent'].includes(look().mapping) && asked.some(({ result }) => result.otherAddress != null)) {
      onProgress({ event: 'step', version, step: 'others' })
      await askOtherAddresses(asked, askInit)
    }

    const rest = await askFromOutside(look(), listener, helpers, init)
    await askServers(strangers, enough, askInit)

    return { findings: look(rest), asked }
  } catch (err) {
    asked.forEach(({ binding }) => { binding.close() })
    throw err
  } finally {
    listener.close()
  }
}

/**
 * What takes the address that all peers see
 */
async function askFromOutside ({ version, external, direct, views }: Findings, listener: OwnListener, helpers: Helper[], { deadline, onProgress }: MeasureInit): Promise<Pick<Findings, 'hairpin' | 'outside'>> {
  if (external == null) {
    return NOT_ASKED
  }

  let hairpin: HairpinResult = 'not-asked'

  if (!direct) {
    onProgress({ event: 'step', version, step: 'hairpin' })
    hairpin = await askHairpin(external, listener, deadline)
  }

  if (helpers.length > 0) {
    onProgress({ event: 'step', version, step: 'outside' })
  }

  // the node of libp2p listens on the same port
  listener.close()

  const outside = await askOutside({
    helpers: helpers.map(({ address }) => address),
    external,
    local: listener,
    known: new Set(views.map(({ endpoint }) => endpoint.host)),
    signal: deadline
  })

  return { hairpin, outside }
}

function concluded ({ version, addresses, port, asked, failures }: Pick<Findings, 'version' | 'addresses' | 'port' | 'failures'> & { asked: AskedServer[] }, rest: Pick<Findings, 'hairpin' | 'outside'> = NOT_ASKED): Findings {
  const { behaviour, external, dissenters } = findMapping(asked)
  const local = asked[0]?.result.local
  const direct = external != null && isSameEndpoint(external, local)

  return {
    version,
    addresses,
    port,
    local,
    views: asked.map(({ server, endpoint, external, roundTrip, software }) => ({ server, endpoint, external, roundTrip, software })),
    failures,
    mapping: behaviour,
    external,
    dissenters,
    direct,
    rewriting: findRewriting(asked),
    carrier: findCarrierNAT({ local, direct, external, views: asked, failures }),
    ...rest
  }
}

function findRewriting (asked: AskedServer[]): PayloadRewriting {
  if (asked.some(({ result }) => result.rewritten != null)) {
    return 'yes'
  }

  return asked.some(({ result }) => result.mappedAddress != null) ? 'no' : 'unknown'
}
