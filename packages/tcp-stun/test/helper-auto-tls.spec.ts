import { execFile } from 'node:child_process'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import https from 'node:https'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { expect } from 'aegir/chai'
import { base36 } from 'multiformats/bases/base36'
import { pEvent } from 'p-event'
import { createAuthority } from '../../../test/fixtures/authority.ts'
import { closesAfterEach } from '../../../test/fixtures/cleanup.ts'
import { startHelper } from '../src/helper/helper.ts'
import { startACME } from './fixtures/acme.ts'
import type { Authority } from '../../../test/fixtures/authority.ts'
import type { Helper, HelperInit } from '../src/helper/options.ts'
import type { PrivateKey } from '@libp2p/interface'
import type { IncomingMessage } from 'node:http'

const HOST = '127.0.0.1'
const ANYWHERE = [{ host: HOST, port: 0 }]
const EVENT = { timeout: 20_000 }
const COMMAND = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'src', 'cli', 'index.js')

/**
 * As where the package is not installed
 */
const WITHOUT_PACKAGE = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module'

  registerHooks({
    resolve: (specifier, context, next) => next(specifier.replace(/^@ipshipyard./, 'not-installed-'), context)
  })
`)}`

/**
 * The certificate authority and the service of libp2p.direct are mocked (fixtures/acme.ts). All of the client is real.
 */
describe('a helper with AutoTLS', () => {
  const { closeLater } = closesAfterEach()
  let authority: Authority
  let privateKey: PrivateKey
  const place = {} as { folder: string }

  before(async () => {
    authority = createAuthority()
    privateKey = await generateKeyPair('Ed25519')
  })
  after(() => { authority.close() })
  beforeEach(async () => { place.folder = await mkdtemp(path.join(os.tmpdir(), 'tcp-stun-')) })
  afterEach(async () => { await rm(place.folder, { recursive: true }) })

  async function start (init: HelperInit): Promise<Helper> {
    return closeLater(await startHelper({
      listen: ANYWHERE,
      stunListen: ANYWHERE,
      privateKey,
      announce: ['/ip4/11.0.0.1/tcp/4001'],
      ...init
    }))
  }

  it('has a certificate for the names of its peer id, announces them, and keeps it', async () => {
    const acme = closeLater(await startACME(authority))
    const autoTLS = {
      folder: path.join(place.folder, 'auto-tls'),
      acmeDirectory: acme.directory,
      forgeEndpoint: acme.forge,
      provisionDelay: 10
    }
    const helper = await start({ autoTLS })
    const domain = `${base36.encode(helper.node.peerId.toCID().bytes)}.libp2p.direct`
    const name = `11-0-0-1.${domain}`
    const address = `/ip4/11.0.0.1/tcp/4001/tls/sni/${name}/ws/p2p/${helper.node.peerId}`
    const addresses = (): string[] => helper.node.getMultiaddrs().map(String)
    // nobody could verify a certificate for the bare address
    expect(addresses().filter(address => address.includes('/tls/'))).to.be.empty()

    await pEvent(helper.node, 'certificate:provision', EVENT)
    expect(addresses()).to.include(address)
    expect(addresses().filter(address => address.includes('/tls/ws'))).to.be.empty()
    expect(acme.asked).to.deep.equal([{
      peer: helper.node.peerId.toString(),
      addresses: ['', '/ws'].map(end => `/ip4/11.0.0.1/tcp/4001${end}/p2p/${helper.node.peerId}`)
    }])

    const port = Number(addresses().find(address => address.startsWith(`/ip4/${HOST}/`))?.split('/')[4])
    const get = https.get({
      host: HOST,
      port,
      path: '/',
      servername: name,
      headers: { host: name },
      ca: authority.certificate,
      agent: false
    })
    const response = await pEvent<'response', IncomingMessage>(get, 'response', EVENT)
    expect(response.statusCode).to.equal(200)
    expect((await response.toArray()).join('')).to.include(`*.${domain}`)
    await helper.close()

    expect((await stat(autoTLS.folder)).mode & 0o77).to.equal(0)
    const again = await start({ autoTLS })
    await pEvent(again.node, 'certificate:provision', EVENT)
    expect(acme.orders).to.equal(1)
  })

  for (const { name, args, message } of [
    { name: 'a folder', args: [], message: /--auto-tls needs --data/ },
    {
      name: 'its packages',
      args: ['--data', 'FOLDER'],
      message: /npm install @ipshipyard\/libp2p-auto-tls @libp2p\/http @libp2p\/keychain/
    }
  ]) {
    it(`does not start by --auto-tls without ${name}, and says why`, async () => {
      const flags = args.map(arg => arg.replace('FOLDER', place.folder))

      await expect(promisify(execFile)(
        process.execPath,
        ['--import', WITHOUT_PACKAGE, COMMAND, 'helper', '--listen', `${HOST}:0`, '--stun-listen', `${HOST}:0`,
          '--external-ip', '11.0.0.1', '--auto-tls', ...flags],
        { timeout: EVENT.timeout }
      )).to.eventually.be.rejected().with.property('stderr').that.matches(message)
    })
  }

  for (const { name, init, message } of [
    {
      name: 'without a public address',
      init: { announce: ['/ip4/192.168.1.2/tcp/4001', '/dns4/a.example/tcp/4001'] },
      message: /public IP addresses.+--external-ip/
    },
    {
      name: 'with another certificate',
      init: { certificate: { key: '', cert: '' } },
      message: /certificate by itself/
    },
    { name: 'with a network key', init: { networkKey: new Uint8Array(32) }, message: /network key/ },
    { name: 'without WebSockets', init: { webSockets: false }, message: /needs webSockets/ }
  ]) {
    it(`does not start ${name}, and says why`, async () => {
      await expect(start({ autoTLS: true, ...init })).to.eventually.be.rejected()
        .with.property('message').that.matches(message)
    })
  }
})
