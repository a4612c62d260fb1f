/**
 * The chance that probes of different ports and connects with different ports meet at
 * least once: 1 - C(M-N, K) / C(M, K). Pure.
 *
 * @param ports - M, how many ports the NAT draws from
 * @param connects - N, how many of them the connects have
 * @param probes - K, how many of them are probed
 */
export function chanceToMeet (ports: number, connects: number, probes: number): number {
  let missed = 1

  for (let i = 0; i < probes && missed > 0; i++) {
    missed *= Math.max(0, (ports - connects - i) / (ports - i))
  }

  return 1 - missed
}
