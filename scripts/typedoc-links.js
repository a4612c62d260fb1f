/**
 * A plugin of typedoc. Links of the README to the pages of docs/ are absolute, for npm;
 * here they stay in the site. A link that leads nowhere is an error.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { PageEvent, RendererEvent } from 'typedoc'

const DOCS = /href="https:\/\/github\.com\/libp2p\/js-libp2p-tcp-stun\/blob\/main\/docs\/([\w-]+)\.md(#[^"]*)?"/g

export function load (app) {
  app.renderer.on(PageEvent.END, page => {
    const toRoot = path.posix.relative(path.posix.dirname(page.url), '.')
    page.contents = page.contents?.replace(DOCS, (_, name, anchor = '') =>
      `href="${path.posix.join(toRoot, 'documents', `${name}.html`)}${anchor}"`)
  })

  app.renderer.on(RendererEvent.END, ({ outputDirectory }) => {
    for (const link of deadLinks(outputDirectory)) {
      app.logger.error(`A link leads nowhere: ${link}`)
    }
  })
}

// links within the site to files or headings that are not there
function deadLinks (folder) {
  const files = readdirSync(folder, { recursive: true }).filter(file => file.endsWith('.html'))
  const ids = new Map(files.map(file => [file, new Set(values(folder, file, 'id'))]))

  return files.flatMap(file => values(folder, file, 'href')
    .filter(href => !/^[a-z]+:/.test(href))
    .filter(href => {
      const [target, anchor = ''] = href.split('#')
      const found = target === '' ? file : path.join(path.dirname(file), target)
      const isAnchorMissing = anchor !== '' && ids.get(found)?.has(decodeURIComponent(anchor)) === false

      return !existsSync(path.join(folder, found)) || isAnchorMissing
    })
    .map(href => `${href} in ${file}`))
}

function values (folder, file, attribute) {
  const html = readFileSync(path.join(folder, file), 'utf8')

  return [...html.matchAll(new RegExp(` ${attribute}="([^"]*)"`, 'g'))].map(([, value]) => value)
}
