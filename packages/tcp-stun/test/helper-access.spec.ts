import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { expect } from 'aegir/chai'
import { createLibp2p } from 'libp2p'
import { pEvent } from 'p-event'
import { isAttested } from '../../../src/dcutr/attest/ask-relays.ts'
import { LightPeer } from '../../../test/fixtures/light-peer.ts'
import { reserve } from '../../../test/fixtures/relay-reservation.ts'
import { waitUntil } from '../../../test/fixtures/wait-until.ts'
import { helperConfig } from '../src/config/index.ts'
import { AllowList, readAllowList } from '../src/helper/allow-list.ts'
import { startHelper } from '../src/helper/helper.ts'
import { credentialFromFile, keyFromFile, networkKeyFromFile } from '../src/helper/key-file.ts'
import { Strangers } from '../src/helper/strangers.ts'
import type { HelperConfigInit } from '../src/config/index.ts'
import type { Helper, HelperInit } from '../src/helper/options.ts'
import type { Libp2p, PrivateKey } from '@libp2p/interface'

const OK = 100
const DENIED = 202
const LOOPBACK = [{ host: '127.0.0.1', port: 0 }]
const EVENT = { timeout: 20_000 }

describe('access to a helper', () => {
  const peers: LightPeer[] = []
  const nodes: Libp2p[] = []
  let helper: Helper | undefined
  let folder: string

  beforeEach(async () => { folder = await mkdtemp(path.join(tmpdir(), 'tcp-stun-')) })
  afterEach(async () => {
    peers.splice(0).forEach(peer => { peer.reset() })
    await Promise.all(nodes.splice(0).map(async node => { await node.stop() }))
    await helper?.close()
    await rm(folder, { recursive: true })
  })

  async function start (init: HelperInit): Promise<{ helper: Helper, port: number, address: string, stun: string }> {
    helper = await startHelper({ listen: LOOPBACK, stunListen: LOOPBACK, ...init })
    const [address] = helper.node.getMultiaddrs()

    return {
      helper,
      port: Number(address.getComponents()[1].value),
      address: address.toString(),
      stun: `stun:127.0.0.1:${helper.stunServer.addresses[0].port}`
    }
  }

  async function connect (port: number, privateKey?: PrivateKey): Promise<LightPeer> {
    const peer = await LightPeer.connect({ host: '127.0.0.1', port, privateKey })
    peers.push(peer)

    return peer
  }

  it('is for the members of a list, and the relay tells a stranger so', async () => {
    const key = await generateKeyPair('Ed25519')
    const allow = new AllowList([peerIdFromPrivateKey(key).toString()])
    const { helper, port } = await start({ allow })

    expect(await reserve(await connect(port, key))).to.equal(OK)
    expect(await reserve(await connect(port))).to.equal(DENIED)
    expect(helper.refused).to.include({ stranger: 1 })
    expect(helper.limits.relayDuration).to.be.above(120_000)
  })

  it('the board tells a stranger so', async () => {
    const { address, stun } = await start({ allow: new AllowList([]) })
    const node = await createLibp2p({
      ...await helperConfig(address, { namespace: 'my-app', stunServers: [stun] }),
      start: false
    })
    nodes.push(node)
    const failed = pEvent<'server:failed', any>(node.services.board as any, 'server:failed', EVENT)
    await node.start()

    expect((await failed).detail.error.message).to.include('E_NOT_AUTHORIZED')
  })

  it('a stranger is disconnected, and whoever is removed from the list', async () => {
    const key = await generateKeyPair('Ed25519')
    const member = peerIdFromPrivateKey(key).toString()
    const allow = new AllowList([member])
    const { helper, port } = await start({ allow })
    const strangers = new Strangers(allow, 10)
    strangers.watch(helper.node)
    const peer = await connect(port, key)
    const stranger = await connect(port)

    await waitUntil('the stranger is disconnected', () => !stranger.isOpen)
    expect(peer.isOpen).to.equal(true)

    allow.replace([])
    helper.expelStrangers()
    await waitUntil('the former member is disconnected', () => !peer.isOpen)
    strangers.close()
  })

  it('the list is read from a file, and a bad line is named', async () => {
    const file = path.join(folder, 'members')
    const id = peerIdFromPrivateKey(await generateKeyPair('Ed25519')).toString()
    await writeFile(file, `# the members\n\n  ${id} # alice\r\n`)
    expect(await readAllowList(file)).to.deep.equal([id])

    await writeFile(file, `${id}\nbob\n`)
    await expect(readAllowList(file)).to.eventually.be.rejectedWith('line 2: "bob" is not a peer id')
    await expect(readAllowList(path.join(folder, 'none'))).to.eventually.be.rejected.with.property('code', 'ENOENT')
  })

  it('a network key keeps others from speaking to it, and its nodes meet', async () => {
    const networkKey = await networkKeyFromFile(path.join(folder, 'network.key'))
    const { address, stun, port } = await start({ networkKey })
    const init = { namespace: 'my-app', stunServers: [stun], networkKey }
    const a = await createLibp2p(await helperConfig(address, init))
    nodes.push(a)
    const b = await createLibp2p(await helperConfig(address, init))
    nodes.push(b)
    await pEvent(b as any, 'peer:connect', { ...EVENT, filter: ({ detail }: any) => detail.equals(a.peerId) })

    await expect(
      LightPeer.connect({ host: '127.0.0.1', port, signal: AbortSignal.timeout(5_000) })
    ).to.eventually.be.rejected()
  })

  it('tells its peers whether another one is connected from an address', async () => {
    for (const [trustedProxies, isKnown] of [[[], true], [['127.0.0.0/8'], false]] as const) {
      const { helper, address, stun } = await start({ trustedProxies: [...trustedProxies] })
      const init: HelperConfigInit = { namespace: 'my-app', stunServers: [stun], hardPunch: 'wide' }
      const [a, b] = await Promise.all([1, 2].map(async () => createLibp2p(await helperConfig(address, init))))
      nodes.push(a, b)
      await Promise.all([a, b].map(async node => node.dial(helper.node.getMultiaddrs())))
      await waitUntil('the helper knows both', () =>
        [a, b].every(({ peerId }) => helper.node.getConnections(peerId).length > 0))
      const ask = async (host: string): Promise<boolean> => isAttested(
        { connectionManager: { getConnections: peer => a.getConnections(peer) } },
        [helper.node.peerId.toString()],
        { peer: b.peerId, host },
        { signal: AbortSignal.timeout(5_000) }
      )

      // behind a load balancer all peers have one address
      expect(await ask('127.0.0.1')).to.equal(isKnown)
      expect(await ask('127.0.0.2')).to.equal(false)
      await Promise.all(nodes.splice(0).map(async node => { await node.stop() }))
      await helper.close()
    }
  })

  it('a private STUN server answers who knows its credential', async () => {
    const file = path.join(folder, 'stun.credential')
    const { helper, address, stun } = await start({ stunCredential: await credentialFromFile(file) })
    const stunCredential = await readFile(file, 'utf8')
    const node = await createLibp2p(await helperConfig(address, {
      namespace: 'my-app', stunServers: [stun], stunCredential, listen: ['/ip4/127.0.0.1/tcp/0']
    }))
    nodes.push(node)

    await waitUntil('it has answered', () => helper.stunServer.counters.bindings > 0)
    expect(helper.stunServer.counters.errors).to.include({ 400: 0, 401: 0 })
    await expect(helperConfig(address, { namespace: 'my-app', stunCredential: 'nonsense' }))
      .to.eventually.be.rejectedWith('name:password')
  })

  for (const { what, read, nonsense } of [
    { what: 'a STUN credential', read: credentialFromFile, nonsense: 'holds no credential' },
    { what: 'a private key', read: keyFromFile, nonsense: 'Could not read a key from' },
    { what: 'a network key', read: networkKeyFromFile, nonsense: 'is not the key of a private network' }
  ]) {
    // eslint-disable-next-line no-loop-func
    it(`${what} is created for its owner alone, and refused when others can read it`, async () => {
      const file = path.join(folder, 'data', 'key')
      const key = await read(file)
      expect((await stat(file)).mode & 0o777).to.equal(0o600)
      expect(await read(file)).to.deep.equal(key)

      await chmod(file, 0o640)
      await expect(read(file)).to.eventually.be.rejectedWith(`(mode 640). Run: chmod 600 ${file}`)
      expect(await readFile(file)).to.not.have.lengthOf(0)

      await chmod(file, 0o600)
      await writeFile(file, 'nonsense')
      await expect(read(file)).to.eventually.be.rejectedWith(nonsense)
    })
  }
})
