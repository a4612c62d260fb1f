/**
 * A browser without a window, with pages that are served on its own machine
 */
import { readFile } from 'node:fs/promises'
import http from 'node:http'
import { chromium } from 'playwright-core'
import { emit, handleCommands, readOptions } from '../../child/commands.ts'
import type { AddressInfo } from 'node:net'
import type { Page } from 'playwright-core'

export interface BrowserOptions {
  /**
   * The program of the browser
   */
  executable: string

  /**
   * A file that each page shows
   */
  file: string
}

const HOST = '127.0.0.1'

/**
 * How long something on a page may take, in ms
 */
const TIMEOUT = 60_000

const { executable, file } = readOptions<BrowserOptions>()
const html = await readFile(file)
const server = http.createServer((_, response) => { response.setHeader('content-type', 'text/html').end(html) })
await new Promise<void>(resolve => server.listen(0, HOST, resolve))
const { port } = server.address() as AddressInfo

const browser = await chromium.launch({
  executablePath: executable,
  args: [
    '--no-sandbox',
    '--disable-dev-shm-usage',
    // the names that stand for addresses need mDNS, which the laboratory has not
    '--disable-features=WebRtcHideLocalIpsWithMdns'
  ]
})
const pages: Page[] = []

handleCommands({
  open: async ({ hash }) => {
    const context = await browser.newContext()
    const page = await context.newPage()
    page.setDefaultTimeout(TIMEOUT)
    page.on('console', message => { emit('console', { page: pages.indexOf(page), message: message.text() }) })
    page.on('pageerror', err => { emit('page-error', { page: pages.indexOf(page), message: err.message }) })
    pages.push(page)
    await page.goto(`http://${HOST}:${port}/#${hash}`)
    emit('opened', { page: pages.length - 1 })
  },
  // answers with the text of the first element that matches, as soon as there is one
  see: async ({ page, selector }) => {
    try {
      emit('seen', { text: await (await pages[page].waitForSelector(selector))?.textContent() })
    } catch (err) {
      throw new Error(`The page has no ${selector}: ${await pages[page].innerText('body')}`, { cause: err })
    }
  },
  type: async ({ page, selector, text }) => {
    await pages[page].fill(selector, text)
    await pages[page].press(selector, 'Enter')
    emit('typed')
  }
}, async () => {
  await browser.close()
  server.closeAllConnections()
  server.close()
})
emit('started')
