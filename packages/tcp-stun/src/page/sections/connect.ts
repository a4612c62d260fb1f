import { html } from '../html.ts'
import type { HTML } from '../html.ts'
import type { HelperStatus } from '../status.ts'

/**
 * What a user of the network copies
 */
export function connect ({ addresses, node }: HelperStatus): HTML {
  const [first = 'The helper has no address', ...others] = addresses

  return html`
<h2>Connect a node</h2>
${copyable('address', 'The address of this helper', first)}
${others.length > 0 && html`<details>
<summary>Other addresses</summary>
${others.map((address, i) => copyable(`address-${i}`, undefined, address))}
</details>`}
${copyable('node', 'A node of this network, in JavaScript', node)}
`
}

function copyable (id: string, label: string | undefined, text: string): HTML {
  return html`<div class="copyable">
${label != null && html`<h3 id="${id}-label">${label}</h3>`}
<code id="${id}">${text}</code>
<button type="button" data-copy="${id}" aria-label="Copy ${label == null ? text : label.toLowerCase()}">Copy</button>
</div>
`
}
