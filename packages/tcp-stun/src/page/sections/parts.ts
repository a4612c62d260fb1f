import { count } from '../format.ts'
import { html } from '../html.ts'
import type { HTML, HTMLValue } from '../html.ts'

/**
 * How good a piece of news is
 */
export type Tone = 'good' | 'warning' | 'bad' | 'neutral'

/**
 * Colours are not all that tells them apart
 */
const SIGNS: Record<Tone, string> = { good: '✓', warning: '!', bad: '✕', neutral: '–' }

export function sign (tone: Tone): HTML {
  return html`<span class="sign ${tone}" aria-hidden="true">${SIGNS[tone]}</span>`
}

/**
 * A bar of several parts side by side, each with its share of the width
 */
export function bar (parts: Array<{ share: number, className: string }>): HTML {
  let x = 0
  const rects = parts.map(({ share, className }) => {
    const width = Math.round(1_000 * Math.min(share, 1)) / 10
    const rect = html`<rect class="${className}" x="${x}" width="${width}" height="1"/>`
    x += width

    return rect
  })

  return html`<svg class="bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">${rects}</svg>`
}

/**
 * A number that a page is read for
 */
export function figure (label: string, value: number, below: HTMLValue): HTML {
  return html`<div class="figure"><dt>${label}</dt><dd><b>${count(value)}</b> ${below}</dd></div>`
}

/**
 * Where a list has nothing
 */
export function nothing (text: string): HTML {
  return html`<p class="muted">${text}</p>`
}
