import type { Router } from './lab.ts'
import type { Program } from '../child/program.ts'

/**
 * The program and Debian's package of it. Without it a test is skipped:
 *
 * ```TypeScript
 * before(function () {
 *   if (!isInstalled(MINIUPNPD.program)) {
 *     skipWithout(this, 'a router with UPnP', `apt-get install ${MINIUPNPD.package}`)
 *   }
 * })
 * ```
 */
export const MINIUPNPD = { program: 'miniupnpd', package: 'miniupnpd-nftables' }

export interface MiniupnpdInit {
  /**
   * @default true
   */
  upnp?: boolean

  /**
   * NAT-PMP and PCP, which have one port
   *
   * @default true
   */
  pcp?: boolean

  /**
   * The external address that it reports
   *
   * @default that of the router's outer device. Of an address that is not public,
   * miniupnpd says by UPnP that it has none, and by NAT-PMP the address itself.
   */
  external?: string
}

/**
 * Where miniupnpd puts the port forwards. A packet that it translates passes the
 * rules of the router, which admit what has been translated.
 */
const TABLE = `table inet miniupnpd {
  chain forward { type filter hook forward priority filter; }
  chain prerouting { type nat hook prerouting priority dstnat; }
  chain postrouting { type nat hook postrouting priority srcnat; }
}
`

/**
 * Start the UPnP, NAT-PMP and PCP server of many home routers on a router of the
 * laboratory, for its inner network. `Router.reboot` removes its port forwards and
 * the table for new ones: stop it before, and start it again.
 */
export async function startMiniupnpd (router: Router, init: MiniupnpdInit = {}): Promise<Program> {
  const { upnp = true, pcp = true, external } = init
  const file = `/run/${router.name}-miniupnpd`
  const config = [
    'ext_ifname=wan',
    ...(external == null ? [] : [`ext_ip=${external}`]),
    'listening_ip=lan',
    `enable_upnp=${yesOrNo(upnp)}`,
    `enable_natpmp=${yesOrNo(pcp)}`,
    'secure_mode=yes',
    'min_lifetime=1',
    'upnp_table_name=miniupnpd',
    'upnp_nat_table_name=miniupnpd',
    'upnp_forward_chain=forward',
    'upnp_nat_chain=prerouting',
    'upnp_nat_postrouting_chain=postrouting',
    'uuid=00000000-0000-4000-8000-000000000001',
    'allow 1-65535 0.0.0.0/0 1-65535',
    ''
  ].join('\n')

  await router.sh(
    `nft -f - <<'RULES'\n${TABLE}RULES\ncat > ${file}.conf <<'CONFIG'\n${config}CONFIG`
  )
  const program = router.exec('sh', [
    '-c',
    // it does not end with its input
    '"$@" 2>&1 & pid=$!; cat > /dev/null; kill $pid',
    'miniupnpd',
    MINIUPNPD.program,
    '-d',
    '-f',
    `${file}.conf`,
    '-P',
    `${file}.pid`
  ])
  await program.waitFor('line', ({ text }) => /HTTP listening on port|PCP\/NAT-PMP|Listening for NAT-PMP/.test(text))

  return program
}

function yesOrNo (value: boolean): string {
  return value ? 'yes' : 'no'
}
