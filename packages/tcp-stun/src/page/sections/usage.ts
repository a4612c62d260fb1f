import { count } from '../format.ts'
import { html } from '../html.ts'
import { bar, figure } from './parts.ts'
import type { HTML } from '../html.ts'
import type { HelperStatus, Usage } from '../status.ts'

/**
 * From this share on the limit is near
 */
const NEAR = 0.9

/**
 * What is used of what there is
 */
export function usage ({ usage, relayedConnections, bindings, board }: HelperStatus): HTML {
  return html`
<h2>In use</h2>
<dl class="figures">
${used('Reservations at the relay', usage.reservations, `${count(relayedConnections)} relayed connections now`)}
${used('STUN connections', usage.stun, `${count(bindings)} addresses told`)}
${used('libp2p connections', usage.connections)}
${used('Registrations on the board', usage.registrations, `${count(board.waiting)} peers wait for news`)}
</dl>
`
}

function used (label: string, { used, max }: Usage, note?: string): HTML {
  const share = max === 0 ? 0 : used / max

  return figure(label, used, html`<span class="of">of ${count(max)}</span>
${bar([{ share, className: share >= NEAR ? 'near' : 'used' }])}
${note != null && html`<small>${note}</small>`}`)
}
