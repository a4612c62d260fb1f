import type { Host } from './lab.ts'

/**
 * Count the SYNs that a host or router sends from now on, repetitions too
 *
 * @param host
 * @param targets - a name for each match of `ip daddr`, like `11.9.0.0/16` or
 * `!= { 11.9.0.0/16, 11.0.0.0/24 }`
 * @returns the counts so far
 */
export async function countSYNs<Name extends string> (
  host: Pick<Host, 'sh'>,
  targets: Record<Name, string>
): Promise<() => Promise<Record<Name, number>>> {
  const names = Object.keys(targets) as Name[]
  await host.sh(`nft -f - <<'NFT'
table inet syns
delete table inet syns
table inet syns {
  ${names.map(name => `counter ${name} { }`).join('\n  ')}
  chain postrouting {
    type filter hook postrouting priority 120
    ${names.map(name => `tcp flags & (syn | ack) == syn ip daddr ${targets[name]} counter name ${name}`).join('\n    ')}
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
