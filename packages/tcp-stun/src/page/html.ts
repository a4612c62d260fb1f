/**
 * Text that is HTML already
 */
export class HTML {
  readonly text: string

  constructor (text: string) {
    this.text = text
  }
}

export type HTMLValue = HTML | string | number | false | undefined | readonly HTMLValue[]

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/**
 * A template of HTML. Every value is escaped for text and for attributes in quotes, unless
 * it comes from such a template itself. `false` and `undefined` are left out.
 */
export function html (parts: TemplateStringsArray, ...values: HTMLValue[]): HTML {
  return new HTML(parts.reduce((text, part, i) => text + toHTML(values[i - 1]) + part))
}

function toHTML (value: HTMLValue): string {
  if (value instanceof HTML) {
    return value.text
  }

  if (Array.isArray(value)) {
    return value.map(toHTML).join('')
  }

  return value == null || value === false ? '' : escape(String(value))
}

function escape (text: string): string {
  return text.replace(/[&<>"']/g, character => ENTITIES[character])
}
