import { count, plural } from '../format.ts'
import { html } from '../html.ts'
import { bar, nothing } from './parts.ts'
import type { HTML } from '../html.ts'
import type { HelperStatus, NATVerdict, PeerTransport, PeersStatus } from '../status.ts'

const TRANSPORTS: Record<PeerTransport, string> = {
  tcp: 'TCP',
  ws: 'WebSocket',
  wss: 'WebSocket with TLS',
  relay: 'Another relay',
  other: 'Other'
}

const VERDICTS: Record<NATVerdict, { title: string, text: string }> = {
  dialable: { title: 'Dialable', text: 'strangers can connect' },
  relayed: { title: 'Behind a NAT', text: 'by hole punching or the relay' },
  unknown: { title: 'Unknown', text: 'not on the board' }
}

const VERDICT_NAMES = ['dialable', 'relayed', 'unknown'] as const

/**
 * The page shows so many peers, `/status.json` more
 */
const MAX_LISTED = 100

/**
 * The peers that are connected, by transport and by what the NAT before them allows
 */
export function peers ({ peers }: HelperStatus): HTML {
  const { connected, kinds, list } = peers

  if (connected === 0) {
    return html`
<h2>Peers</h2>
${nothing('No peer is connected.')}
`
  }

  const totals = VERDICT_NAMES.map(verdict => total(kinds.filter(kind => kind.verdict === verdict)))
  const transports = [...new Set(kinds.map(({ transport }) => transport))]

  return html`
<h2>Peers <span class="total">${count(connected)}</span></h2>
${bar(totals.map((count, i) => ({ share: count / connected, className: VERDICT_NAMES[i] })))}
<div class="scroll" tabindex="0" role="region" aria-label="Peers by transport and NAT"><table>
<thead><tr><th scope="col">Connected by</th>${VERDICT_NAMES.map(headOf)}</tr></thead>
<tbody>
${transports.map(transport => rowOf(transport, kinds.filter(kind => kind.transport === transport)))}</tbody>
</table></div>
${list != null && listed(list, connected)}
`
}

function headOf (verdict: NATVerdict): HTML {
  const { title, text } = VERDICTS[verdict]

  return html`<th scope="col"><i class="key ${verdict}"></i>${title}<small>${text}</small></th>`
}

function rowOf (transport: PeerTransport, kinds: PeersStatus['kinds']): HTML {
  const counts = VERDICT_NAMES.map(verdict => total(kinds.filter(kind => kind.verdict === verdict)))

  const cells = counts.map(value => html`<td>${count(value)}</td>`)

  return html`<tr><th scope="row">${TRANSPORTS[transport]}</th>${cells}</tr>
`
}

function listed (list: NonNullable<PeersStatus['list']>, connected: number): HTML {
  const shown = list.slice(0, MAX_LISTED)
  const left = connected - shown.length

  return html`<details><summary>Peer ids</summary>
<div class="scroll" tabindex="0" role="region" aria-label="Peer ids"><table class="ids">
<thead><tr><th scope="col">Peer</th><th scope="col">Address</th><th scope="col">NAT</th></tr></thead>
<tbody>
${shown.map(peer)}</tbody>
</table></div>
${left > 0 && html`<p class="muted">And ${plural(left, 'other peer')}, see <a href="/status.json">status.json</a>.</p>`}
</details>`
}

function peer ({ id, address, verdict }: NonNullable<PeersStatus['list']>[number]): HTML {
  const [direct] = address.split('/p2p/')

  return html`<tr><td><code>${id}</code></td><td><code>${direct}</code></td><td>${VERDICTS[verdict].title}</td></tr>
`
}

function total (kinds: PeersStatus['kinds']): number {
  return kinds.reduce((sum, { count }) => sum + count, 0)
}
