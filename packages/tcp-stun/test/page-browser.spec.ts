import { readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { expect } from 'aegir/chai'
import { startChromium } from '../../../test/fixtures/chromium.ts'
import { closesAfterEach } from '../../../test/fixtures/cleanup.ts'
import { extent } from '../../../test/fixtures/extent.ts'
import { LightPeer } from '../../../test/fixtures/light-peer.ts'
import { startHelper } from '../src/helper/helper.ts'
import { serveHelperMetrics } from '../src/helper/metrics.ts'
import { answer, serveWeb } from '../src/metrics/web.ts'
import { CONTENT_SECURITY_POLICY, renderPage, renderSections } from '../src/page/document.ts'
import { forEverybody } from '../src/page/status.ts'
import { busyHelper, newHelper } from './fixtures/helper-status.ts'
import type { HelperStatus } from '../src/page/status.ts'
import type { AxeResults } from 'axe-core'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const PICTURES = path.resolve('docs/pictures')
const HOST = '127.0.0.1'
const ANYWHERE = [{ host: HOST, port: 0 }]
const SCHEMES = ['light', 'dark'] as const
const SCREENS = [
  { screen: 'desktop', viewport: { width: 1_120, height: 800 } },
  { screen: 'phone', viewport: { width: 375, height: 740 } }
]

describe('the status page in a browser', function () {
  this.timeout(60_000)

  const { closeLater } = closesAfterEach()
  let browser: Browser | undefined

  before(async function () { browser = await startChromium(this) })
  after(async () => { await browser?.close() })

  /**
   * A page whose errors are failures, those of the security policy too
   */
  async function open (url: string, options: BrowserContextOptions = {}): Promise<{ page: Page, errors: string[] }> {
    const context = closeLater(await (browser as Browser).newContext(options))
    const page = await context.newPage()
    const errors: string[] = []
    page.on('pageerror', err => { errors.push(err.message) })
    page.on('console', message => {
      if (message.type() === 'error') {
        errors.push(message.text())
      }
    })
    await page.goto(url)

    return { page, errors }
  }

  async function serve (status: HelperStatus): Promise<string> {
    const web = closeLater(await serveWeb((request, response) => {
      response.setHeader('content-security-policy', CONTENT_SECURITY_POLICY)

      if (request.url === '/') {
        answer(response, 200, 'text/html; charset=utf-8', renderPage(renderSections(status)))
      } else {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write(':\n\n')
      }
    }, { listen: ANYWHERE[0] }))

    return `http://${HOST}:${web.address.port}/`
  }

  for (const colorScheme of SCHEMES) {
    for (const { screen, viewport } of SCREENS) {
      it(`is accessible and fits: ${colorScheme}, ${screen}`, async () => {
        for (const status of [busyHelper(), newHelper()]) {
          const { page, errors } = await open(await serve(status), { colorScheme, viewport })
          await page.evaluate('document.querySelectorAll("details").forEach(details => { details.open = true })')
          await page.evaluate(AXE)
          const { violations, passes } = await page.evaluate<AxeResults>('axe.run()')
          const width = await page.evaluate<number>('document.documentElement.scrollWidth')

          expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`)).to.deep.equal([])
          expect(passes.map(({ id }) => id)).to.include('color-contrast')
          expect(width).to.equal(viewport.width)
          expect(errors).to.deep.equal([])
        }
      })

      if (extent === 'report') {
        it(`is shown in docs/helper.md: ${colorScheme}, ${screen}`, async () => {
          const web = await serve(forEverybody(busyHelper()))
          const { page } = await open(web, { colorScheme, viewport, deviceScaleFactor: 2 })
          await page.waitForSelector('#live.live')
          await mkdir(PICTURES, { recursive: true })
          await page.screenshot({ path: path.join(PICTURES, `status-${screen}-${colorScheme}.png`), fullPage: true })
        })
      }
    }
  }

  it('follows the helper, and keeps open what the reader has opened', async () => {
    const helper = closeLater(await startHelper({ listen: ANYWHERE, stunListen: ANYWHERE }))
    const web = closeLater(await serveHelperMetrics(helper, { listen: ANYWHERE[0] }))
    const port = Number(helper.node.getMultiaddrs()[0].toString().split('/')[4])
    const { page, errors } = await open(`http://${HOST}:${web.address.port}/`)
    await page.waitForSelector('#live.live')
    expect(await page.textContent('#peers')).to.include('No peer is connected')

    const first = await LightPeer.connect({ host: HOST, port })
    closeLater({ close: () => { first.reset() } })
    await page.click('#peers summary')
    await page.waitForSelector(`#peers details[open] code:text-is("${first.id}")`)

    const second = await LightPeer.connect({ host: HOST, port })
    closeLater({ close: () => { second.reset() } })
    await page.waitForSelector(`#peers details[open] code:text-is("${second.id}")`)
    expect(errors).to.deep.equal([])

    await web.close()
    await page.waitForSelector('#live.stale')
  })

  it('copies the line of a node', async () => {
    const url = await serve(busyHelper())
    const { page } = await open(url, { permissions: ['clipboard-read', 'clipboard-write'] })
    await page.click('[data-copy=node]')
    await page.waitForSelector('[data-copy=node]:text-is("Copied")')

    expect(await page.evaluate('navigator.clipboard.readText()')).to.equal(busyHelper().node)
  })

  it('shows all without a script', async () => {
    const { page } = await open(await serve(busyHelper()), { javaScriptEnabled: false })

    expect(await page.textContent('#peers')).to.include('1\u202f942')
    expect(await page.textContent('#state time')).to.match(/^\d{4}-\d\d-\d\d \d\d:\d\d UTC$/)
  })

  it('runs no script that a peer has registered as a name', async () => {
    const status = busyHelper()
    const name = '<img src=x onerror="document.title=\'evil\'"><script>document.title=\'evil\'</script>'
    const board = { ...status.board, largest: [{ name, registrations: 1 }] }
    const { page } = await open(await serve({ ...status, board }))

    expect(await page.textContent('#namespaces .name')).to.include('<img src=x')
    expect(await page.title()).to.equal('tcp-stun helper')
  })
})
