import { isSameEndpoint } from 'libp2p-tcp-stun/net'
import { findCarrierNAT, findNAT64 } from './carrier-nat.ts'
import { findMapping } from './mapping-behaviour.ts'
import type { AskedServer } from './ask-servers.ts'
import type { Findings, PayloadRewriting } from './findings.ts'
import type { PortMapping } from './port-mapping.ts'

/**
 * What dials of the external address show
 */
export type Dials = Pick<Findings, 'hairpin' | 'dialed' | 'dialBack' | 'distance'>

/**
 * What the servers said
 */
export type Observed = Pick<Findings, 'version' | 'addresses' | 'port' | 'failures'> & { asked: AskedServer[] }

const NO_DIALS: Dials = { hairpin: 'not-asked', dialBack: { outcome: 'not-asked', because: 'no-address' } }

/**
 * What all of it says about the NAT
 */
export function conclude (
  { version, addresses, port, asked, failures }: Observed,
  dials = NO_DIALS,
  portMapping?: PortMapping
): Findings {
  const { behaviour, external, dissenters } = findMapping(asked)
  const local = asked[0]?.result.local
  const direct = external != null && isSameEndpoint(external, local)
  const views = asked.map(({ server, endpoint, external, roundTrip, software }) => ({
    server,
    endpoint,
    external,
    roundTrip,
    software
  }))
  const { distance } = dials

  return {
    version,
    addresses,
    port,
    local,
    views,
    failures,
    mapping: behaviour,
    external,
    dissenters,
    direct,
    rewriting: findRewriting(asked),
    carrier: findCarrierNAT({ local, direct, external, views, failures, portMapping, distance }),
    portMapping,
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
