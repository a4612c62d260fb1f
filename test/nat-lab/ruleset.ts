import { isIPv6 } from 'node:net'
import { allocationRules } from './port-allocation.ts'
import type { Behaviour, FilteringOptions, NATOptions } from './nat-options.ts'

/**
 * The range of external ports that differ from the internal ones. The kernel reads
 * a hash in the machine's byte order, so hashed ports exceed the range.
 */
const FIRST_PORT = 30_000
const PORT_COUNT = 20_000

/**
 * The keywords of nftables for an IP version
 */
function words (address: string): { ip: string, type: string } {
  return isIPv6(address) ? { ip: 'ip6', type: 'ipv6_addr' } : { ip: 'ip', type: 'ipv4_addr' }
}

/**
 * A NAT as nftables: from options to text
 *
 * @param options
 * @param wan - the external address
 */
export function natRuleset (options: Required<NATOptions>, wan: string): string {
  const { mapping, filtering, ports, timeout, unsolicited, hairpin } = options
  const { ip, type } = words(wan)
  const flags = `flags dynamic,timeout; timeout ${timeout}s;`

  // the endpoints that each external port has contacted; conntrack itself remembers
  // address and port
  const allowed = {
    'endpoint-independent': { type: 'inet_service', out: 'tcp sport', in: 'tcp dport' },
    'address-dependent': {
      type: `inet_service . ${type}`,
      out: `tcp sport . ${ip} daddr`,
      in: `tcp dport . ${ip} saddr`
    },
    'address-and-port-dependent': undefined
  }[filtering]

  // what an external port depends on, before and after source NAT. In IPv6 without
  // the inner address: two do not fit into the registers of nftables.
  const inner = isIPv6(wan)
    ? { type: 'inet_service', before: 'tcp sport', after: 'ct original proto-src' }
    : {
        type: `${type} . inet_service`,
        before: `${ip} saddr . tcp sport`,
        after: `ct original ${ip} saddr . ct original proto-src`
      }
  const outer = {
    'endpoint-independent': { type: '', key: '' },
    'address-dependent': { type: ` . ${type}`, key: ` . ${ip} daddr` },
    'address-and-port-dependent': { type: ` . ${type} . inet_service`, key: ` . ${ip} daddr . tcp dport` }
  }[mapping]
  const key = { type: inner.type + outer.type, before: inner.before + outer.key, after: inner.after + outer.key }

  const to = `${ip} to ${bracket(wan)}`
  const translation = {
    preserved: [`snat ${to}`],
    hashed: [`snat ${to}:jhash ${key.before} mod ${PORT_COUNT} offset ${FIRST_PORT}`],
    // drawn once for each mapping, and remembered
    random: [`snat ${to}:${key.before} map @mapped`, `snat ${to}:${FIRST_PORT}-${FIRST_PORT + PORT_COUNT - 1} random`]
  }
  const { rules: snat, chains = '' } = typeof ports === 'object'
    ? allocationRules(ports, to)
    : { rules: translation[ports] }

  const learn = (map: string, key: string, value: string): string =>
    `oifname "wan" meta l4proto tcp ct direction original update @${map} { ${key} timeout ${timeout}s : ${value} }`
  const lines = (all: Array<string | false>): string => all.filter(line => line !== false).join('\n    ')

  return `table ${ip} nat {
  map mapped { type ${key.type} : inet_service; ${flags} }
  ${allowed == null ? '' : `map allowed_host { type ${allowed.type} : ${type}; ${flags} }`}
  ${allowed == null ? '' : `map allowed_port { type ${allowed.type} : inet_service; ${flags} }`}
  map inside_host { type inet_service : ${type}; ${flags} }
  map inside_port { type inet_service : inet_service; ${flags} }
  chain prerouting {
    type nat hook prerouting priority dstnat
    ${lines([
      allowed != null &&
        `iifname "wan" ${ip} daddr ${wan} meta l4proto tcp ` +
          `dnat ${ip} to ${allowed.in} map @allowed_host : ${allowed.in} map @allowed_port`,
      hairpin &&
        `iifname "lan" ${ip} daddr ${wan} meta l4proto tcp ` +
          `dnat ${ip} to tcp dport map @inside_host : tcp dport map @inside_port`
    ])}
  }
  chain learn {
    # after source NAT: the packet has its external port, conntrack knows the internal one
    type filter hook postrouting priority 110
    ${lines([
      allowed != null && learn('allowed_host', allowed.out, `ct original ${ip} saddr`),
      allowed != null && learn('allowed_port', allowed.out, 'ct original proto-src'),
      hairpin && learn('inside_host', 'tcp sport', `ct original ${ip} saddr`),
      hairpin && learn('inside_port', 'tcp sport', 'ct original proto-src'),
      ports === 'random' && learn('mapped', key.after, 'tcp sport')
    ])}
  }
  ${chains}
  chain postrouting {
    type nat hook postrouting priority srcnat
    ${lines([
      ...snat.map(rule => `oifname "wan" meta l4proto tcp ${rule}`),
      // RFC 5382, REQ-8: a hairpinned connection has an external source address
      ...snat.map(rule => hairpin && `iifname "lan" oifname "lan" ct status dnat meta l4proto tcp ${rule}`),
      'oifname "wan" meta l4proto != tcp masquerade'
    ])}
  }
  chain input {
    type filter hook input priority filter
    # packets of no connection too, which the router's own TCP would reset
    iifname "wan" ct state { new, invalid } meta l4proto tcp ${refuse(unsolicited)}
  }
  chain forward {
    type filter hook forward priority filter
    iifname "wan" ct state new ct status dnat accept
    iifname "wan" ct state new drop
    # packets of no connection would leave with a private source address
    ct state invalid drop
  }
}
`
}

/**
 * A firewall that translates nothing, as nftables, for the IP version of its
 * outer address
 */
export function firewallRuleset (options: Required<FilteringOptions>, wan: string): string {
  const { filtering, timeout, unsolicited } = options
  const { ip, type } = words(wan)
  const allowed: Record<Behaviour, { type: string; out: string; in: string } | undefined> = {
    'endpoint-independent': {
      type: `${type} . inet_service`,
      out: `${ip} saddr . tcp sport`,
      in: `${ip} daddr . tcp dport`
    },
    'address-dependent': {
      type: `${type} . inet_service . ${type}`,
      out: `${ip} saddr . tcp sport . ${ip} daddr`,
      in: `${ip} daddr . tcp dport . ${ip} saddr`
    },
    'address-and-port-dependent': undefined
  }
  const rule = allowed[filtering]
  const learn = rule == null
    ? ''
    : `oifname "wan" meta l4proto tcp ct direction original update @allowed { ${rule.out} timeout ${timeout}s }`

  return `table ${ip} firewall {
  ${rule == null ? '' : `set allowed { type ${rule.type}; flags dynamic,timeout; timeout ${timeout}s; }`}
  chain learn {
    type filter hook postrouting priority 110
    ${learn}
  }
  chain forward {
    type filter hook forward priority filter
    ${rule == null ? '' : `iifname "wan" ct state new meta l4proto tcp ${rule.in} @allowed accept`}
    iifname "wan" ct state new meta l4proto tcp ${refuse(unsolicited)}
    ct state invalid drop
  }
}
`
}

function refuse (unsolicited: 'drop' | 'reset'): string {
  return unsolicited === 'drop' ? 'drop' : 'reject with tcp reset'
}

function bracket (address: string): string {
  return isIPv6(address) ? `[${address}]` : address
}
