import { html } from './html.ts'
import type { HTML } from './html.ts'

/**
 * Lines do not break there
 */
const THIN_SPACE = '\u202f'

/**
 * 12345 as 12 345
 */
export function count (value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, THIN_SPACE)
}

/**
 * `1 peer`, `2 peers`
 */
export function plural (value: number, one: string, several = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : several}`
}

/**
 * A moment. The script of the page shows how long ago it was.
 */
export function moment (time: number): HTML {
  const iso = new Date(time).toISOString()

  return html`<time datetime="${iso}">${iso.slice(0, 16).replace('T', ' ')} UTC</time>`
}

/**
 * Peers choose names of namespaces: up to 255 bytes, also such that turn the direction of
 * what follows
 */
export function shorten (text: string, length: number): string {
  const characters = Array.from(text)

  return characters.length <= length ? text : `${characters.slice(0, length - 1).join('')}…`
}
