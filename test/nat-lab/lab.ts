import { BlockList, isIP, isIPv6 } from 'node:net'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Program } from '../child/program.ts'
import { Namespaces } from './namespaces.ts'
import { validateFilteringOptions, validateNATOptions } from './nat-options.ts'
import { firewallRuleset, natRuleset } from './ruleset.ts'
import type { Behaviour, FilteringOptions, NATOptions } from './nat-options.ts'

const FOLDER = path.dirname(fileURLToPath(import.meta.url))

/**
 * The Python script is not compiled, so it is only in the sources
 */
const LINE = path.join(FOLDER, '../../../test/nat-lab/line.py')

/**
 * The internet of a laboratory is one network. libp2p treats documentation ranges
 * as private, but not 11.0.0.0/8 and 2a00::/12.
 */
const INTERNET_PREFIX = { 4: 8, 6: 12 }

/**
 * It reaches from 4.0.0.0 to 15.255.255.255: AutoNAT counts one vote for each /8
 */
const INTERNET = ['4.0.0.0/6', '8.0.0.0/6', '12.0.0.0/6']

/**
 * The router to the networks behind firewalls
 */
const CORE = '2a0f:ffff::1'

const BRIDGE = '02:00:00:00:00:01'

/**
 * A network that hosts and routers are joined to
 */
export interface Network {
  name: string

  /**
   * The length of its prefix, for each IP version
   */
  prefix: Partial<Record<4 | 6, number>>

  /**
   * The router's address in it, of one IP version
   */
  gateway?: string
}

export interface Place {
  address: string

  /**
   * @default the internet
   */
  network?: Network

  /**
   * The delay of the line to the network, in ms one way
   *
   * @default 0
   */
  latency?: number
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

  /**
   * Start any command, in this folder if one is given
   */
  exec(command: string, args: string[], cwd?: string): Program

  /**
   * Drop every packet in both directions, silently
   */
  freeze(): Promise<void>

  thaw(): Promise<void>

  /**
   * Replace its address
   */
  renumber(address: string): Promise<void>

  /**
   * Connect it to one more network, by its device `eth1`. The default route is by this
   * network then.
   */
  join(place: Required<Place>): Promise<void>

  /**
   * Run a shell script in it
   */
  sh(script: string): Promise<string>
}

export interface Firewall extends Network {
  /**
   * The address on the outer network
   */
  address: string

  /**
   * Forget all mappings and connections, as after a power cut
   */
  reboot(): Promise<void>

  /**
   * Disconnect the line to the outer network, and connect it again
   */
  unplug(): Promise<void>
  plug(): Promise<void>

  /**
   * The connections it knows, as conntrack prints them
   */
  connections(): Promise<string>

  /**
   * What it has forwarded since the last call of `count`
   */
  count(): Promise<{ packets: number, bytes: number }>

  /**
   * Start any command
   */
  exec(command: string, args: string[]): Program

  /**
   * Run a shell script in it
   */
  sh(script: string): Promise<string>
}

export interface Router extends Firewall {
  /**
   * Filter in another way from now on, and keep all mappings and connections
   */
  setFiltering(filtering: Behaviour): Promise<void>

  /**
   * Replace the external address, and forget everything
   */
  renumber(address: string): Promise<void>
}

/**
 * Networks, hosts and routers with real kernel NAT on this machine. `close()`
 * removes everything, and so does the end of the process.
 *
 * @example
 *
 * ```TypeScript
 * const lab = await Lab.create()
 * const server = await lab.host('stun', { address: '11.0.0.1', latency: 25 })
 * const carrier = await lab.router('carrier', { address: '11.1.0.1', lan: '100.64.0.1/24' })
 * const home = await lab.router('home', { address: '100.64.0.2', network: carrier, ports: 'hashed' })
 * const laptop = await lab.host('laptop', { address: '192.168.1.2', network: home })
 * await carrier.reboot()
 * ```
 */
export class Lab {
  private readonly namespaces: Namespaces
  private readonly programs: Program[] = []
  private readonly internet: Network = { name: 'internet', prefix: INTERNET_PREFIX }
  private readonly names = new Set<string>()
  private joined = 0

  private constructor (namespaces: Namespaces) {
    this.namespaces = namespaces
  }

  /**
   * @throws {LabError} which command failed, and why
   */
  static async create (): Promise<Lab> {
    const lab = new Lab(await Namespaces.create())

    try {
      await lab.addNetwork(lab.internet)
      await lab.namespaces.run(
        `ip -n internet -6 addr add ${CORE}/${INTERNET_PREFIX[6]} dev br0 nodad; ` +
          'ip netns exec internet sysctl -q -w net.ipv6.conf.all.forwarding=1'
      )
    } catch (err) {
      await lab.close()
      throw err
    }

    return lab
  }

  /**
   * A host on the internet, or in the network behind a router
   *
   * @throws {RangeError} an option is invalid; the message names it
   */
  async host (name: string, { address, network = this.internet, latency = 0 }: Place): Promise<Host> {
    this.check(name, { address, latency })
    await this.addNamespace(name)
    await this.join(name, 'eth0', network, address, latency)

    const sh = async (script: string, input?: string): Promise<string> =>
      this.namespaces.run(script, { namespace: name, input })
    const exec = (command: string, args: string[], cwd?: string): Program =>
      this.start(`${path.basename(args[0] ?? command)} in ${name}`, name, command, args, cwd)
    const host: Host = {
      name,
      address,
      exec,
      run: (program, init = {}) =>
        exec(process.execPath, [path.join(FOLDER, 'programs', `${program}.js`), JSON.stringify(init)]),
      freeze: async () => { await sh('nft -f -', FROZEN) },
      thaw: async () => { await sh('nft delete table inet frozen') },
      renumber: async next => {
        await sh(`ip addr del ${host.address}/${prefixOf(network, host.address)} dev eth0`)
        await this.addAddress(name, 'eth0', network, next)
        host.address = next
      },
      join: async ({ address, network, latency }) => {
        this.check(`${name}-eth1`, { address, latency })
        await this.join(name, 'eth1', network, address, latency)
      },
      sh: async script => sh(script)
    }

    return host
  }

  /**
   * A router that translates addresses, with a network of its own: `lan` is its
   * address in it, with the length of the prefix, by default 192.168.1.1/24 or
   * fd00:1::1/64
   *
   * @throws {RangeError} an option is invalid; the message names it
   */
  async router (
    name: string,
    {
      address,
      network = this.internet,
      latency = 0,
      lan = isIPv6(address) ? 'fd00:1::1/64' : '192.168.1.1/24',
      ...options
    }: NATOptions & Place & { lan?: string }
  ): Promise<Router> {
    let nat = validateNATOptions(options)
    const box = await this.box(name, { address, network, latency }, lan, nat.timeout, () =>
      natRuleset(nat, router.address)
    )
    const router: Router = {
      ...box,
      setFiltering: async filtering => {
        nat = { ...nat, filtering }
        await this.namespaces.run('nft -f -', {
          namespace: name,
          input: `flush ruleset\n${natRuleset(nat, router.address)}\n${COUNTERS}`
        })
      },
      renumber: async next => {
        await this.namespaces.run(`ip addr del ${router.address}/${prefixOf(network, router.address)} dev wan`, {
          namespace: name
        })
        router.address = next
        await this.addAddress(name, 'wan', network, next)
        await router.reboot()
      }
    }

    await router.reboot()

    return router
  }

  /**
   * A router that translates nothing and admits only replies: IPv6 at home. `lan`
   * is its address in the network behind it, with the length of the prefix, like
   * 2a10:0:0:1::1/64
   *
   * @throws {RangeError} an option is invalid; the message names it
   */
  async firewall (
    name: string,
    { address, network = this.internet, latency = 0, lan, ...options }: FilteringOptions & Place & { lan: string }
  ): Promise<Firewall> {
    const filter = validateFilteringOptions(options)
    const box = await this.box(name, { address, network, latency }, lan, filter.timeout, () =>
      firewallRuleset(filter, address)
    )
    await this.namespaces.run(`ip -6 route add ${lan.replace(/[\da-f]+\//, '/')} via ${address}`, {
      namespace: network.name
    })
    await box.reboot()

    return box
  }

  /**
   * End all programs and remove all networks
   */
  async close (): Promise<void> {
    try {
      await Promise.all(this.programs.map(async program => program.stop()))
    } finally {
      await this.namespaces.close()
    }
  }

  private start (title: string, namespace: string, command: string, args: string[], cwd?: string): Program {
    const program = new Program(title, this.namespaces.spawn(command, args, { namespace, cwd }))
    this.programs.push(program)

    return program
  }

  private async box (
    name: string,
    place: Required<Place>,
    lan: string,
    timeout: number,
    rules: () => string
  ): Promise<Firewall> {
    this.check(name, place)
    const [gateway, prefix] = lan.split('/')

    if (isIP(gateway) !== isIP(place.address) || !(Number(prefix) > 0)) {
      throw new RangeError(
        `lan must be an address of the same IP version and the length of its prefix, like 192.168.1.1/24, not ${lan}`
      )
    }

    const network: Network = { name: `${name}-lan`, prefix: { [isIP(gateway)]: Number(prefix) }, gateway }
    const sh = async (script: string, input?: string): Promise<string> =>
      this.namespaces.run(script, { namespace: name, input })

    await this.addNetwork(network)
    await this.addNamespace(name)
    await sh('sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1')
    await this.join(name, 'wan', place.network, place.address, place.latency)
    await this.join(name, 'lan', network, gateway, 0)
    await this.namespaces.run(`ip -n ${network.name} link set br0 up`)

    return {
      ...network,
      address: place.address,
      reboot: async () => {
        // nothing passes meanwhile: a packet of a connection that conntrack still knows
        // would have the new rules learn the old mapping
        await sh('nft -f -', `flush ruleset\n${POWER_OFF}`)
        // conntrack forgets connections after the same time as the rules
        await sh(
          'conntrack -F 2>/dev/null; ' +
            `sysctl -q -w net.netfilter.nf_conntrack_tcp_timeout_established=${timeout} 2>/dev/null || true`
        )
        await sh('nft -f -', `flush ruleset\n${rules()}\n${COUNTERS}`)
      },
      unplug: async () => {
        await sh('ip link set wan down')
      },
      plug: async () => {
        await sh('ip link set wan up')
        // the kernel has removed it together with the line
        await this.addRoute(name, 'wan', place.network, place.address)
      },
      connections: async () => sh('conntrack -L 2>/dev/null'),
      count: async () => {
        const { nftables } = JSON.parse(await sh('nft -j reset counters table inet count'))
        const [{ counter }] = nftables.filter(({ counter }: any) => counter != null)

        return { packets: counter.packets, bytes: counter.bytes }
      },
      exec: (command, args) => this.start(`${path.basename(args[0] ?? command)} in ${name}`, name, command, args),
      sh: async script => sh(script)
    }
  }

  private check (name: string, { address, latency = 0 }: Place): void {
    if (!/^[a-z][a-z0-9-]{0,20}$/.test(name) || this.names.has(name)) {
      throw new RangeError(`name must be new, and of small letters, digits and hyphens, not ${JSON.stringify(name)}`)
    }

    if (isIP(address) === 0) {
      throw new RangeError(`address must be an IP address, not ${JSON.stringify(address)}`)
    }

    if (!(latency >= 0 && latency <= 10_000)) {
      throw new RangeError(`latency must be a number of milliseconds from 0 to 10000, not ${latency}`)
    }
  }

  /**
   * Without duplicate address detection, which takes seconds in which a router
   * forwards nothing. With reno, which every kernel allows every user: with bbr a
   * punched connection may be slow for its first 10 s, see docs/hole-punching.md.
   */
  private async addNamespace (name: string): Promise<void> {
    this.names.add(name)
    await this.namespaces.run(
      [
        `ip netns add ${name}; ip -n ${name} link set lo up; ip netns exec ${name} sysctl -q -w`,
        'net.ipv6.conf.default.dad_transmits=0 net.ipv6.conf.all.accept_dad=0 net.ipv4.tcp_congestion_control=reno'
      ].join(' ')
    )
  }

  /**
   * A network is a bridge in a namespace of its own. Its MAC address is fixed:
   * otherwise it could change with each port that is added, and neighbours would
   * send to the old one for seconds.
   */
  private async addNetwork ({ name }: Network): Promise<void> {
    await this.addNamespace(name)
    await this.namespaces.run(`ip -n ${name} link add br0 address ${BRIDGE} type bridge; ip -n ${name} link set br0 up`)
  }

  private async join (name: string, device: string, network: Network, address: string, latency: number): Promise<void> {
    this.joined++
    const port = `p${this.joined}`

    if (latency === 0) {
      await this.namespaces.run(`ip link add ${port} netns ${network.name} type veth peer name ${device} netns ${name}`)
    } else {
      const line = `line${this.joined}`
      await this.namespaces.run(
        [
          `ip netns add ${line}`,
          // it must not send packets of its own
          `ip netns exec ${line} sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1`,
          `ip link add near netns ${line} type veth peer name ${device} netns ${name}`,
          `ip link add ${port} netns ${network.name} type veth peer name far netns ${line}`,
          `ip -n ${line} link set near up; ip -n ${line} link set far up`,
          ...['near', 'far'].map(end =>
            `ip netns exec ${line} ethtool -K ${end} tso off gso off gro off tx off >/dev/null`)
        ].join('; ')
      )
      await this.start(`line of ${name}`, line, 'python3', [LINE, 'near', 'far', String(latency)]).waitFor('ready')
    }

    await this.namespaces.run(
      [
        // a line forwards frames unchanged: they need real checksums, and whole packets
        `ip netns exec ${name} ethtool -K ${device} tx off tso off gso off gro off >/dev/null`,
        `ip -n ${network.name} link set ${port} master br0 up`,
        `ip -n ${name} link set ${device} up`
      ].join('; ')
    )
    await this.addAddress(name, device, network, address)
  }

  private async addAddress (name: string, device: string, network: Network, address: string): Promise<void> {
    await this.namespaces.run(
      `ip addr add ${address}/${prefixOf(network, address)} dev ${device} ${isIPv6(address) ? 'nodad' : ''}`,
      { namespace: name }
    )

    if (address !== network.gateway) {
      await this.addRoute(name, device, network, address)
    }
  }

  private async addRoute (name: string, device: string, network: Network, address: string): Promise<void> {
    if (network === this.internet && !isIPv6(address)) {
      await this.namespaces.run(INTERNET.map(net => `ip route replace ${net} dev ${device}`).join('; '), {
        namespace: name
      })
    }

    const gateway = network.gateway ?? (isIPv6(address) ? CORE : undefined)

    if (gateway != null) {
      await this.namespaces.run(`ip ${isIPv6(address) ? '-6 ' : ''}route replace default via ${gateway}`, {
        namespace: name
      })
    }
  }
}

/**
 * Drops everything, before conntrack sees it
 */
const POWER_OFF = `table inet off {
  chain in { type filter hook prerouting priority -300; policy drop; }
  chain out { type filter hook output priority -300; policy drop; }
}
`

/**
 * A host that does not answer any more
 */
const FROZEN = `table inet frozen {
  chain in { type filter hook input priority -300; policy drop; }
  chain out { type filter hook output priority -300; policy drop; }
}
`

/**
 * Counts what a router forwards in both directions
 */
const COUNTERS = `table inet count {
  counter forwarded { }
  chain forward {
    type filter hook forward priority 200
    counter name forwarded
  }
}
`

/**
 * @throws {RangeError} the network does not have the IP version of the address
 */
function prefixOf (network: Network, address: string): number {
  const version = isIPv6(address) ? 6 : 4
  const prefix = network.prefix[version]

  if (prefix == null) {
    throw new RangeError(`address must be of the IP version of ${network.name}, not ${address}`)
  }

  if (network.gateway != null) {
    const subnet = new BlockList()
    subnet.addSubnet(network.gateway, prefix, version === 6 ? 'ipv6' : 'ipv4')

    if (!subnet.check(address, version === 6 ? 'ipv6' : 'ipv4')) {
      throw new RangeError(`address must be in ${network.gateway}/${prefix}, not ${address}`)
    }
  }

  return prefix
}
