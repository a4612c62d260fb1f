import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Host, Lab, NATOptions, Network, Program } from '../nat-lab/index.ts'

const CLI = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../packages/tcp-stun/src/cli/index.js')

export const HELPER = '11.0.0.9'

export interface HomeKind {
  name: string
  nat: NATOptions
  carrier?: boolean
}

const RESTRICTED: NATOptions = { mapping: 'endpoint-independent', filtering: 'address-and-port-dependent' }

/**
 * Homes as there are on the internet
 */
export const FIVE_HOMES: HomeKind[] = [
  { name: 'full cone', nat: { mapping: 'endpoint-independent', filtering: 'endpoint-independent' } },
  { name: 'filtering 1', nat: RESTRICTED },
  { name: 'filtering 2', nat: RESTRICTED },
  { name: 'carrier', nat: RESTRICTED, carrier: true },
  {
    name: 'symmetric',
    nat: { mapping: 'address-and-port-dependent', filtering: 'address-and-port-dependent', ports: 'random' }
  }
]

/**
 * Without predicting ports, a symmetric NAT is only reached at a port that admits strangers
 */
export function canBeDirect (a: string, b: string): boolean {
  return (a !== 'symmetric' && b !== 'symmetric') || a === 'full cone' || b === 'full cone'
}

export interface RunningHelper {
  program: Program
  id: string

  /**
   * What it printed for the nodes
   */
  address: string
}

/**
 * Run the command `tcp-stun helper` in a host
 */
export async function runHelper (host: Host, ...args: string[]): Promise<RunningHelper> {
  const program = host.exec(process.execPath, [CLI, 'helper', '--json', ...args])
  const { id, addresses } = await program.waitFor('listening')

  return { program, id, address: addresses.find((address: string) => address.includes(host.address)) }
}

/**
 * A host in a network of its own, behind the routers of a home
 */
export async function addHome (lab: Lab, i: number, { nat, carrier = false }: HomeKind): Promise<Host> {
  const address = `11.${i + 1}.0.1`
  let network: Network | undefined

  if (carrier) {
    network = await lab.router(`carrier${i}`, { address, lan: '100.64.0.1/24', ...nat })
  }

  const router = await lab.router(`router${i}`, { address: carrier ? '100.64.0.2' : address, network, ...nat })

  return lab.host(`laptop${i}`, { address: '192.168.1.2', network: router })
}
