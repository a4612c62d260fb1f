import { extent } from '../fixtures/extent.ts'
import { BEHAVIOURS } from './nat-options.ts'
import type { Lab, Network } from './lab.ts'
import type { Behaviour, NATOptions } from './nat-options.ts'

/**
 * A kind of access to the internet, to be built with any mapping and filtering of
 * RFC 4787
 */
export interface Kind {
  title: string
  version: 4 | 6
  mappings: Behaviour[]

  /**
   * Build it, and return the network that the home is in
   */
  build(lab: Lab, name: string, external: string, nat: NATOptions): Promise<Network>

  /**
   * The home's address in that network. Undefined behind a firewall, where it
   * depends on the external address.
   */
  home?: string

  /**
   * Whether the external port equals the internal one
   */
  ports: 'preserved' | 'changed'
}

const EI: Behaviour[] = ['endpoint-independent']

const single =
  (ports: NATOptions['ports']): Kind['build'] =>
    async (lab, name, address, nat) =>
      lab.router(name, { address, ports, ...nat })

/**
 * A home router that admits everything, behind a carrier NAT with the given options
 */
const carrier = (ports: NATOptions['ports']): Kind['build'] => async (lab, name, address, nat) => {
  const network = await lab.router(`${name}-c`, { address, lan: '100.64.0.1/24', ports, ...nat })

  return lab.router(`${name}-h`, { address: '100.64.0.2', network, filtering: 'endpoint-independent', ports })
}

export const KINDS: Kind[] = [
  {
    title: 'IPv4, one NAT, ports preserved',
    version: 4,
    mappings: EI,
    build: single('preserved'),
    home: '192.168.1.2',
    ports: 'preserved'
  },
  {
    title: 'IPv4, one NAT, ports computed',
    version: 4,
    mappings: BEHAVIOURS,
    build: single('hashed'),
    home: '192.168.1.2',
    ports: 'changed'
  },
  {
    title: 'IPv4, one NAT, ports random',
    version: 4,
    mappings: BEHAVIOURS,
    build: single('random'),
    home: '192.168.1.2',
    ports: 'changed'
  },
  {
    title: 'IPv4, carrier NAT behind a home NAT, ports preserved',
    version: 4,
    mappings: EI,
    build: carrier('preserved'),
    home: '192.168.1.2',
    ports: 'preserved'
  },
  {
    title: 'IPv4, carrier NAT behind a home NAT, ports computed',
    version: 4,
    mappings: BEHAVIOURS,
    build: carrier('hashed'),
    home: '192.168.1.2',
    ports: 'changed'
  },
  {
    title: 'IPv6, NAT66, ports preserved',
    version: 6,
    mappings: EI,
    build: single('preserved'),
    home: 'fd00:1::2',
    ports: 'preserved'
  },
  {
    title: 'IPv6, NAT66, ports computed',
    version: 6,
    mappings: BEHAVIOURS,
    build: single('hashed'),
    home: 'fd00:1::2',
    ports: 'changed'
  },
  {
    title: 'IPv6, firewall without NAT',
    version: 6,
    mappings: EI,
    build: async (lab, name, address, { filtering }) =>
      lab.firewall(name, { address, filtering, lan: `2a10:0:0:${address.split(':').at(-1)}::1/64` }),
    ports: 'preserved'
  }
]

/**
 * The address of a host in a network of a kind
 */
export function homeAddress ({ home }: Kind, network: Network): string {
  return home ?? `${network.gateway?.replace(/1$/, '2')}`
}

/**
 * The pairs of mapping and filtering of a kind. A sample contains all of them for
 * one kind of NAT, and for each other kind those that differ most.
 */
export function cellsOf (kind: Kind): Array<{ mapping: Behaviour, filtering: Behaviour }> {
  const all = kind.mappings.flatMap(mapping => BEHAVIOURS.map(filtering => ({ mapping, filtering })))

  if (extent !== 'sample' || kind === KINDS.find(({ mappings }) => mappings.length > 1)) {
    return all
  }

  const [first] = BEHAVIOURS

  return kind.mappings.length > 1
    ? all.filter(({ mapping, filtering }) => mapping === filtering)
    : all.filter(({ filtering }) => filtering === first || filtering === BEHAVIOURS.at(-1))
}
