/**
 * RFC 4787, sections 4.1 and 5, and RFC 5382 for TCP
 */
export type Behaviour = 'endpoint-independent' | 'address-dependent' | 'address-and-port-dependent'

const BEHAVIOURS: Behaviour[] = ['endpoint-independent', 'address-dependent', 'address-and-port-dependent']

export interface NATOptions {
  /**
   * For which destinations the same external port is used
   *
   * @default 'endpoint-independent'
   */
  mapping?: Behaviour

  /**
   * Who may send to an external port
   *
   * @default 'address-and-port-dependent'
   */
  filtering?: Behaviour

  /**
   * The external port is the internal one, or one computed from what the
   * mapping depends on
   *
   * @default 'preserved' for endpoint-independent mapping, else 'hashed'
   */
  ports?: 'preserved' | 'hashed'

  /**
   * An external port is forgotten after so many seconds of silence from inside
   *
   * @default 60
   */
  timeout?: number

  /**
   * What happens to a SYN that nobody asked for
   *
   * @default 'drop'
   */
  unsolicited?: 'drop' | 'reset'
}

/**
 * @throws {RangeError} an option makes no sense, it is named
 */
export function validateNATOptions (options: NATOptions): Required<NATOptions> {
  const { mapping = 'endpoint-independent', filtering = 'address-and-port-dependent', timeout = 60, unsolicited = 'drop' } = options
  const { ports = mapping === 'endpoint-independent' ? 'preserved' : 'hashed' } = options

  oneOf('mapping', mapping, BEHAVIOURS)
  oneOf('filtering', filtering, BEHAVIOURS)
  oneOf('ports', ports, ['preserved', 'hashed'])
  oneOf('unsolicited', unsolicited, ['drop', 'reset'])

  if (ports === 'preserved' && mapping !== 'endpoint-independent') {
    throw new RangeError(`ports can not be preserved with ${mapping} mapping: the port would not depend on the endpoint`)
  }

  if (!Number.isInteger(timeout) || timeout < 1) {
    throw new RangeError(`timeout must be a whole number of seconds from 1 on, not ${timeout}`)
  }

  return { mapping, filtering, ports, timeout, unsolicited }
}

function oneOf (name: string, value: string, values: string[]): void {
  if (!values.includes(value)) {
    throw new RangeError(`${name} must be one of ${values.join(', ')}, not ${value}`)
  }
}

/**
 * What an external port is computed from. The kernel takes the hash's bytes in
 * the machine's order: the ports are spread over more than the range.
 */
const HASHED: Record<Behaviour, string> = {
  'endpoint-independent': 'ip saddr . tcp sport',
  'address-dependent': 'ip saddr . tcp sport . ip daddr',
  'address-and-port-dependent': 'ip saddr . tcp sport . ip daddr . tcp dport'
}

/**
 * A router's nftables: from options to text
 */
export function ruleset (options: Required<NATOptions>, wan: string): string {
  const { mapping, filtering, ports, timeout, unsolicited } = options
  const snat = ports === 'preserved' ? `snat ip to ${wan}` : `snat ip to ${wan}:jhash ${HASHED[mapping]} mod 20000 offset 30000`

  // who was sent to from which external port: conntrack itself remembers
  // address and port
  const learned = {
    'endpoint-independent': { type: 'inet_service', out: 'tcp sport', in: 'tcp dport' },
    'address-dependent': { type: 'inet_service . ipv4_addr', out: 'tcp sport . ip daddr', in: 'tcp dport . ip saddr' },
    'address-and-port-dependent': undefined
  }[filtering]

  return `table ip nat {
${learned == null
? ''
: `  map allowed {
    type ${learned.type} : ipv4_addr . inet_service
    flags dynamic,timeout
    timeout ${timeout}s
  }
  chain prerouting {
    type nat hook prerouting priority dstnat
    iifname "wan" ip daddr ${wan} meta l4proto tcp dnat ip to ${learned.in} map @allowed
  }
  chain learn {
    # after source NAT: the packet has its external port, conntrack knows the internal one
    type filter hook postrouting priority 110
    oifname "wan" meta l4proto tcp ct direction original update @allowed { ${learned.out} timeout ${timeout}s : ct original ip saddr . ct original proto-src }
  }
`}  chain postrouting {
    type nat hook postrouting priority srcnat
    oifname "wan" meta l4proto tcp ${snat}
    oifname "wan" meta l4proto != tcp masquerade
  }
  chain input {
    type filter hook input priority filter
    iifname "wan" ct state new meta l4proto tcp ${unsolicited === 'drop' ? 'drop' : 'reject with tcp reset'}
  }
  chain forward {
    type filter hook forward priority filter
    iifname "wan" ct state new ct status dnat accept
    iifname "wan" ct state new drop
    # what does not fit a connection would leave with its private source
    ct state invalid drop
  }
}
`
}
