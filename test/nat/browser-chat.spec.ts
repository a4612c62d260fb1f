import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'aegir/chai'
import { CHROMIUM } from '../fixtures/chromium.ts'
import { laboratory } from '../fixtures/laboratory.ts'
import { skipWithout } from '../fixtures/missing-tool.ts'
import { FIVE_HOMES, HELPER, addHome, runHelper } from './helper-network.ts'
import type { RunningHelper } from './helper-network.ts'
import type { Program } from '../nat-lab/index.ts'

const EXAMPLE = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../../examples/browser')
const VISITOR = '11.0.5.1'

/**
 * On a busy machine, in ms
 */
const PATIENCE = 90_000

const [FULL_CONE, FILTERING] = FIVE_HOMES

describe('the example of a chat in browsers', function () {
  this.timeout(240_000)

  const helpers: RunningHelper[] = []
  let folder: string
  let file: string

  before(async function () {
    if (CHROMIUM == null) {
      skipWithout(this, 'Chromium', 'apt-get install chromium')
    }

    folder = await mkdtemp(path.join(tmpdir(), 'browser-'))
    file = path.join(folder, 'chat.html')
    execFileSync(process.execPath, [path.join(EXAMPLE, 'build.js'), file])
  })
  after(async () => { await rm(folder, { recursive: true, force: true }) })
  // a command of the user, which does not end with its standard input
  afterEach(() => { helpers.splice(0).forEach(({ program }) => { program.kill() }) })

  const { create } = laboratory('each')

  it('two pages and a home behind a NAT that filters find each other on the board, and write', async () => {
    const lab = await create()
    const helper = await runHelper(await lab.host('helper', { address: HELPER }))
    helpers.push(helper)
    const laptop = await addHome(lab, 0, FILTERING)
    const atHome = laptop.exec(process.execPath, [path.join(EXAMPLE, 'home.js'), helper.address])
    const { text: me } = await atHome.waitFor('line', ({ text }) => text.startsWith('you are'), PATIENCE)
    const name = me.slice(-6)
    const visitor = await lab.host('visitor', { address: VISITOR })
    const browser = visitor.run('chat-browser', { executable: CHROMIUM, file })
    await browser.waitFor('started', undefined, PATIENCE)

    for (const page of [0, 1]) {
      await browser.ask('open', { hash: helper.address }, 'opened', PATIENCE)
      await see(browser, page, '#helper:text-is("connected")')
      // browsers cannot punch holes
      await see(browser, page, `#peers li:has-text("${name}")[data-way="by the relay"]`)
    }

    for (const page of [0, 1]) {
      await see(browser, page, '#peers li[data-way="direct, by WebRTC"]')
    }

    await browser.ask('type', { page: 0, selector: '#text', text: 'from a page' }, 'typed', PATIENCE)
    await see(browser, 1, '#messages li:has-text("from a page")')
    expect(await atHome.happened(({ text }) => text?.endsWith(': from a page'), PATIENCE)).to.have.property('text')
    atHome.write('from home')

    for (const page of [0, 1]) {
      await see(browser, page, '#messages li:has-text("from home")')
    }

    expect(browser.events.filter(({ event }) => event === 'page-error')).to.deep.equal([])
  })

  it('a page leaves the relay for a home that announces its address', async () => {
    const lab = await create()
    const helper = await runHelper(await lab.host('helper', { address: HELPER }))
    helpers.push(helper)
    const laptop = await addHome(lab, 0, FULL_CONE)
    // there are not four AutoNAT servers here
    const home = laptop.run('member', {
      helper: helper.address, namespace: 'example-chat', webSockets: true, autoNAT: false
    })
    await home.happened(({ addresses }) => addresses?.some((text: string) => text.includes('/11.1.0.1/')), PATIENCE)
    const visitor = await lab.host('visitor', { address: VISITOR })
    const browser = visitor.run('chat-browser', { executable: CHROMIUM, file })
    await browser.waitFor('started', undefined, PATIENCE)
    await browser.ask('open', { hash: helper.address }, 'opened', PATIENCE)

    await see(browser, 0, '#peers li[data-way="direct, by WebSocket"]')
  })
})

async function see (browser: Program, page: number, selector: string): Promise<string> {
  const { text } = await browser.ask('see', { page, selector }, 'seen', PATIENCE)

  return text
}
