import { count, plural, shorten } from '../format.ts'
import { html } from '../html.ts'
import { bar, nothing } from './parts.ts'
import type { HTML } from '../html.ts'
import type { HelperStatus } from '../status.ts'

const MAX_NAME = 60

/**
 * The namespaces of the board
 */
export function namespaces ({ board: { namespaces, largest, peers } }: HelperStatus): HTML {
  if (namespaces === 0) {
    return html`
<h2>Namespaces</h2>
${nothing('No peer has registered.')}
`
  }

  const most = largest[0].registrations
  const left = namespaces - largest.length

  return html`
<h2>Namespaces <span class="total">${count(namespaces)}</span></h2>
<p class="muted">With ${plural(peers, 'peer')}.</p>
<ol class="ranking">
${largest.map(({ name, registrations }, i) => html`<li>
<span class="name"><bdi>${name == null ? `Namespace ${i + 1}` : shorten(name, MAX_NAME)}</bdi></span>
<span class="number">${count(registrations)}</span>
${bar([{ share: registrations / most, className: 'used' }])}
</li>
`)}</ol>
${left > 0 && html`<p class="muted">And ${plural(left, 'smaller one')}.</p>`}
`
}

/**
 * Other helpers whose registrations are on the same board
 */
export function helpers ({ helpers }: HelperStatus): HTML {
  return html`
<h2>Other helpers</h2>
${helpers.length === 0
  ? nothing('No other helper shares this board. Several can: with a store in Redis.')
  : html`<ol class="plain">
${helpers.map(({ id, registrations }, i) => html`<li>
<span class="name">${id == null ? `Helper ${i + 1}` : html`<code>${id}</code>`}</span>
<span class="number">${plural(registrations, 'registration')}</span>
</li>
`)}</ol>`}
`
}
