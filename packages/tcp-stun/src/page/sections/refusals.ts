import { count, shorten } from '../format.ts'
import { html } from '../html.ts'
import { nothing } from './parts.ts'
import type { HTML } from '../html.ts'
import type { HelperStatus, Refusal } from '../status.ts'

const WHO: Record<Refusal['by'], string> = {
  connection: 'Connection', relay: 'Relay', stun: 'STUN server', board: 'Board'
}

/**
 * A reason without words here is shown as it is
 */
const REASONS: Record<string, string> = {
  'connection full': 'there are as many as there may be',
  'connection address': 'too many from one address',
  'connection subnet': 'too many from one network',
  'connection rate': 'too many a second',
  'connection pending': 'too many that have just come',
  'connection busy': 'waited too long for its handshake',
  'relay address': 'too many peers at one address',
  'relay peers': 'no reservation is free',
  'relay stranger': 'not on the list of peers',
  'relay draining': 'the helper is stopping',
  'stun connections': 'too many connections',
  'stun address': 'too many connections from one address',
  'stun subnet': 'too many connections from one network',
  'stun rate': 'too many connections a second',
  'stun memory': 'clients take up too much memory',
  'stun gone': 'the client left before it was served',
  'board E_NOT_AUTHORIZED': 'not on the list, or the record of another peer',
  'board E_INVALID_NAMESPACE': 'invalid namespace',
  'board E_INVALID_SIGNED_PEER_RECORD': 'invalid or outdated peer record',
  'board E_INVALID_TTL': 'invalid duration',
  'board E_INVALID_COOKIE': 'invalid cookie',
  'board E_UNAVAILABLE': 'the board is full'
}

/**
 * Who was turned away, and why
 */
export function refusals ({ refusals }: HelperStatus): HTML {
  return html`
<h2>Refused since the start</h2>
${refusals.length === 0
  ? nothing('Nothing was refused.')
  : html`<ol class="plain">
${refusals.toSorted((a, b) => b.count - a.count).map(({ by, reason, count: times }) => html`<li>
<span class="name"><b>${WHO[by]}</b> ${REASONS[`${by} ${reason}`] ?? shorten(reason, 60)}</span>
<span class="number">${count(times)}</span>
</li>
`)}</ol>`}
`
}
