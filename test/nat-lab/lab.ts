import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Ground } from './ground.ts'
import { Program } from './program.ts'
import { ruleset, validateNATOptions } from './ruleset.ts'
import type { NATOptions } from './ruleset.ts'

const PROGRAMS = path.join(path.dirname(fileURLToPath(import.meta.url)), 'programs')

/**
 * The internet of a laboratory is flat. libp2p takes documentation and private
 * ranges for private, these it does not.
 */
const INTERNET_PREFIX = 8

const HOME_PREFIX = 24

/**
 * A network that hosts and routers are joined to
 */
export interface Network {
  name: string
  prefix: number
  gateway?: string
}

/**
 * A host with one address
 */
export interface Host {
  name: string
  address: string

  /**
   * Start a program of `programs/` with one argument, as JSON
   */
  run(program: string, init?: object): Program
}

export interface Router extends Network {
  /**
   * The address on the internet
   */
  address: string

  /**
   * The power goes and comes back: everything is forgotten
   */
  reboot(): Promise<void>

  /**
   * What the router has translated, as conntrack prints it
   */
  connections(): Promise<string>
}

/**
 * Networks, hosts and routers with real kernel NAT on this machine. Everything
 * is gone after `close()`, and when the process dies.
 *
 * @example
 *
 * ```TypeScript
 * const lab = await Lab.create()
 * const server = await lab.host('stun', { address: '11.0.0.1' })
 * const home = await lab.home('home', { address: '11.1.0.1', filtering: 'endpoint-independent', ports: 'hashed' })
 * const laptop = await lab.host('laptop', { address: '192.168.1.2', network: home })
 * ```
 */
export class Lab {
  private readonly ground: Ground
  private readonly programs: Program[] = []
  private readonly internet: Network = { name: 'internet', prefix: INTERNET_PREFIX }
  private readonly names = new Set<string>()

  private constructor (ground: Ground) {
    this.ground = ground
  }

  /**
   * @throws {LabError} which command failed, and why
   */
  static async create (): Promise<Lab> {
    const lab = new Lab(await Ground.create())

    try {
      await lab.addNetwork(lab.internet)
    } catch (err) {
      await lab.close()
      throw err
    }

    return lab
  }

  /**
   * A host on the internet, or in the network behind a router
   */
  async host (name: string, { address, network = this.internet }: { address: string, network?: Network }): Promise<Host> {
    this.claim(name)
    await this.ground.run(`ip netns add ${name}; ip -n ${name} link set lo up`)
    await this.join(name, 'eth0', network, address)

    if (network.gateway != null) {
      await this.ground.run(`ip -n ${name} route add default via ${network.gateway}`)
    }

    return {
      name,
      address,
      run: (program, init = {}) => {
        const child = this.ground.spawn(process.execPath, [path.join(PROGRAMS, `${program}.js`), JSON.stringify(init)], name)
        const running = new Program(`${program} in ${name}`, child)
        this.programs.push(running)

        return running
      }
    }
  }

  /**
   * A router with an address on the internet and a network 192.168.x.0/24 of its
   * own, in which it is .1
   *
   * @throws {RangeError} an option makes no sense, it is named
   */
  async router (name: string, { address, subnet = 1, ...options }: NATOptions & { address: string, subnet?: number }): Promise<Router> {
    const nat = validateNATOptions(options)
    this.claim(name)
    const network = { name: `${name}-lan`, prefix: HOME_PREFIX, gateway: `192.168.${subnet}.1` }
    const load = async (): Promise<void> => {
      await this.ground.run('nft -f -', { namespace: name, input: `flush ruleset\n${ruleset(nat, address)}` })
    }

    await this.addNetwork(network)
    await this.ground.run(`ip netns add ${name}; ip -n ${name} link set lo up`)
    await this.ground.run('sysctl -q -w net.ipv4.ip_forward=1', { namespace: name })
    await this.join(name, 'wan', this.internet, address)
    await this.join(name, 'lan', network, network.gateway)
    await load()

    return {
      ...network,
      address,
      reboot: async () => {
        await load()
        await this.ground.run('conntrack -F 2>/dev/null', { namespace: name })
      },
      connections: async () => this.ground.run('conntrack -L 2>/dev/null', { namespace: name })
    }
  }

  /**
   * End all programs and remove all networks
   */
  async close (): Promise<void> {
    try {
      await Promise.all(this.programs.map(async program => program.stop()))
    } finally {
      await this.ground.close()
    }
  }

  private claim (name: string): void {
    if (!/^[a-z][a-z0-9-]{0,20}$/.test(name) || this.names.has(name)) {
      throw new RangeError(`name must be new, and of small letters, digits and hyphens, not ${JSON.stringify(name)}`)
    }

    this.names.add(name)
  }

  /**
   * A network is a bridge in a namespace of its own
   */
  private async addNetwork ({ name }: Network): Promise<void> {
    await this.ground.run(`ip netns add ${name}; ip -n ${name} link add br0 type bridge; ip -n ${name} link set br0 up`)
  }

  private async join (name: string, device: string, network: Network, address: string): Promise<void> {
    const port = `p${this.names.size}${device[0]}`

    await this.ground.run([
      `ip link add ${port} netns ${network.name} type veth peer name ${device} netns ${name}`,
      `ip -n ${network.name} link set ${port} master br0 up`,
      `ip -n ${name} addr add ${address}/${network.prefix} dev ${device}`,
      `ip -n ${name} link set ${device} up`
    ].join('; '))
  }
}
