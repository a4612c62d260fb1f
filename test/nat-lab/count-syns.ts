import type { Host } from './lab.ts'

/**
 * Count the SYNs that a host or router sends from now on
 *
 * @param host
 * @param targets - a name for each match of `ip daddr`, like `11.9.0.0/16` or
 * `!= { 11.9.0.0/16, 11.0.0.0/24 }`
 * @param options
 * @param options.repeated - count also the SYNs that the system repeats after a second, as
 * it does where nobody answers and a busy process is late to close a socket
 * @returns the counts so far
 */
export async function countSYNs<Name extends string> (
  host: Pick<Host, 'sh'>,
  targets: Record<Name, string>,
  { repeated = true }: { repeated?: boolean } = {}
): Promise<() => Promise<Record<Name, number>>> {
  const names = Object.keys(targets) as Name[]
  const ends = 'ip saddr . tcp sport . ip daddr . tcp dport'
  const first = (name: string): string => repeated ? '' : `${ends} != @${name}_seen add @${name}_seen { ${ends} }`
  await host.sh(`nft -f - <<'NFT'
table inet syns
delete table inet syns
table inet syns {
  ${names.map(name => `counter ${name} { }
  set ${name}_seen {
    type ipv4_addr . inet_service . ipv4_addr . inet_service
    size 65535
    flags dynamic
  }`).join('\n  ')}
  chain postrouting {
    type filter hook postrouting priority 120
    ${names.map(name =>
      `tcp flags & (syn | ack) == syn ip daddr ${targets[name]} ${first(name)} counter name ${name}`).join('\n    ')}
  }
}
NFT`)

  return async () => {
    const { nftables } = JSON.parse(await host.sh('nft -j list counters table inet syns'))
    const packets = (name: string): number =>
      nftables.find(({ counter }: any) => counter?.name === name).counter.packets

    return Object.fromEntries(names.map(name => [name, packets(name)])) as Record<Name, number>
  }
}
