import { createHash } from 'node:crypto'
import { HTML, html } from './html.ts'
import { client } from './script.ts'
import { SECTIONS } from './sections/index.ts'
import { STYLE } from './style.ts'
import type { HelperStatus } from './status.ts'

const SCRIPT = `(${client.toString()})()`

const ICON = [
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" fill="none" stroke="#0a7570" stroke-width="3">',
  '<circle cx="16" cy="16" r="4" fill="#0a7570"/>',
  '<path d="M8.2 23.8a11 11 0 0 1 0-15.6M23.8 8.2a11 11 0 0 1 0 15.6"/>',
  '</svg>'
].join('')

const LOGO = new HTML(ICON.replaceAll('#0a7570', 'currentcolor').replace('<svg', '<svg aria-hidden="true"'))

/**
 * Nothing but what the page has itself may run, be loaded, or embed it
 */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `script-src ${hashSource(SCRIPT)}`,
  `style-src ${hashSource(STYLE)}`,
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join('; ')

/**
 * A section as it is on the page. The version changes with the text.
 */
export interface RenderedSection {
  id: string
  version: string
  html: string
}

/**
 * The parts of the page that change
 */
export function renderSections (status: HelperStatus): RenderedSection[] {
  return SECTIONS.map(({ id, render }) => {
    const { text } = render(status)

    return { id, version: createHash('sha256').update(text).digest('base64url').slice(0, 12), html: text }
  })
}

/**
 * The status of a helper as a page
 */
export function renderPage (sections: RenderedSection[], now = Date.now()): string {
  return `<!doctype html>
${html`<html lang="en">
<head>
<meta charset="utf-8">
<title>tcp-stun helper</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:image/svg+xml,${encodeURIComponent(ICON)}">
<noscript><meta http-equiv="refresh" content="30"></noscript>
<style>${new HTML(STYLE)}</style>
</head>
<body>
<header>${LOGO}<h1>tcp-stun helper</h1>
<p>Helps the peers of a network to find and to reach each other, behind NATs too.</p>
<p id="live" role="status">As of ${new Date(now).toISOString().slice(11, 19)} UTC</p>
</header>
<main>
${sections.map(section)}</main>
<footer><p>Names of namespaces and ids of peers are shown on the helper’s own machine only.</p></footer>
<script>${new HTML(SCRIPT)}</script>
</body>
</html>`.text}
`
}

function section ({ id, version, html: text }: RenderedSection): HTML {
  return html`<section id="${id}" data-version="${version}">${new HTML(text)}</section>
`
}

function hashSource (text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`
}
