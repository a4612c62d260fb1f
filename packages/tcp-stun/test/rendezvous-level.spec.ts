import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { crc32 } from 'node:zlib'
import { expect } from 'aegir/chai'
import { Level } from 'level'
import { pEvent } from 'p-event'
import { skipWithout } from '../../../test/fixtures/missing-tool.ts'
import { createStore } from '../src/rendezvous/index.ts'
import { StoredRegistration as Protobuf } from '../src/rendezvous/pb/stored-registration.ts'
import { boardNodes, untilFound } from './fixtures/board-nodes.ts'
import { Requester } from './fixtures/rendezvous-requests.ts'
import type { BoardStore, StoredRegistration } from '../src/rendezvous/index.ts'

const EVENT = { timeout: 20_000 }

describe('a board on disk', () => {
  const nodes = boardNodes()
  const folders: string[] = []

  afterEach(() => { folders.splice(0).forEach(folder => { rmSync(folder, { recursive: true }) }) })

  /**
   * The path of a folder that is not there yet
   */
  function newFolder (): string {
    const parent = mkdtempSync(path.join(os.tmpdir(), 'libp2p-tcp-stun-'))
    folders.push(parent)

    return path.join(parent, 'board')
  }

  it('outlives a restart', async () => {
    const folder = newFolder()
    const first = await nodes.server({ store: await createStore(folder) })
    const peer = await Requester.create(nodes, first)
    const signedPeerRecord = await peer.seal()
    await peer.register({ signedPeerRecord })
    const { cookie } = await peer.discover()
    await first.stop()

    const second = await nodes.server({ store: await createStore(folder) })
    expect(second.services.board.registrations).to.equal(1)
    const { registrations } = await peer.at(second).discover()
    expect(registrations.map(({ signedPeerRecord }) => signedPeerRecord)).to.deep.equal([signedPeerRecord])

    // who has read everything goes on where it was, but for the last minute before the stop
    const client = await nodes.client({ servers: second.getMultiaddrs() })
    await untilFound(client, peer.node.peerId)
    const { registrations: news } = await peer.at(second).discover({ cookie })
    expect(news).to.have.lengthOf.at.least(1)
  })

  it('forgets what was unregistered, and what has expired meanwhile', async () => {
    const folder = newFolder()
    const store = await createStore(folder)
    await fill(store, 3, { expires: Date.now() - 1_000 })
    const first = await nodes.server({ store: await createStore(folder) })
    expect(first.services.board.registrations).to.equal(0)
    const client = await nodes.client({ servers: first.getMultiaddrs() })
    await pEvent(client.services.board, 'registered', EVENT)
    await client.stop()
    await first.stop()

    expect(await read(await createStore(folder))).to.deep.equal({ damage: [], count: 0 })
  })

  it('belongs to one process at a time', async () => {
    const folder = newFolder()
    await nodes.server({ store: await createStore(folder) })

    await expect(nodes.server({ store: await createStore(folder) })).to.be.rejectedWith(
      `Another process uses ${folder}`
    )
  })

  it('leaves alone what is no database', async () => {
    const folder = newFolder()
    writeFileSync(folder, 'a letter')

    await expect(nodes.server({ store: await createStore(folder) })).to.be.rejectedWith(
      `The board cannot use the folder ${folder}`
    )
    expect(readFileSync(folder, 'utf8')).to.equal('a letter')
  })

  it('starts without a registration that is damaged, and says so', async () => {
    const folder = newFolder()
    await fill(await createStore(folder), 10)
    const database = new Level<string, Uint8Array>(folder, { valueEncoding: 'view' })
    const [[key, value]] = await database.iterator({ limit: 1 }).all()
    value[value.byteLength - 1] ^= 1
    await database.put(key, value)
    await database.close()

    const { damage, count } = await read(await createStore(folder))
    expect(count).to.equal(9)
    expect(damage).to.have.lengthOf(1)
    expect(damage[0]).to.include(`1 of 10 registrations in ${folder} are damaged`)
    // it is gone
    expect(await read(await createStore(folder))).to.deep.equal({ damage: [], count: 9 })
  })

  it('starts without what another program has written, and says so', async () => {
    const folder = newFolder()
    await fill(await createStore(folder), 10)
    const database = new Level<string, Uint8Array>(folder, { valueEncoding: 'view' })
    const [[, value]] = await database.iterator({ limit: 1 }).all()
    const wrong = {
      empty: Uint8Array.of(),
      'no message': Uint8Array.of(0xff, 0xff),
      'no peer': Protobuf.encode({ ...Protobuf.decode(value.subarray(4)), peer: '' }),
      'no position': Protobuf.encode({ ...Protobuf.decode(value.subarray(4)), position: 1n << 60n })
    }

    for (const [name, message] of Object.entries(wrong)) {
      const checksum = Buffer.alloc(4)
      checksum.writeUInt32BE(crc32(message))
      await database.put(`/${name}`, Buffer.concat([checksum, message]))
    }

    await database.close()
    const { damage, count } = await read(await createStore(folder))
    expect(count).to.equal(10)
    expect(damage).to.have.lengthOf(1)
    expect(damage[0]).to.include(`4 of 14 registrations in ${folder} are damaged`)
    expect(await read(await createStore(folder))).to.deep.equal({ damage: [], count: 10 })
  })

  for (const { what, pattern, expected } of [
    { what: 'names the files', pattern: /^MANIFEST/, expected: 2_000 },
    { what: 'says which of them counts', pattern: /^CURRENT$/, expected: 2_000 },
    { what: 'has the registrations', pattern: /\.(?:ldb|log)$/, expected: 1 }
  ]) {
    it(`starts with what is readable when the file is damaged that ${what}`, async () => {
      const folder = newFolder()
      await fill(await createStore(folder), 2_000)
      const files = readdirSync(folder).filter(file => pattern.test(file))
      expect(files).to.not.be.empty()

      files.forEach(file => { damage(path.join(folder, file)) })

      const report = await read(await createStore(folder))
      expect(report.damage).to.not.be.empty()
      expect(report.damage[0]).to.include(folder)
      expect(report.count).to.be.within(expected, 2_000)

      // and can be used
      const server = await nodes.server({ store: await createStore(folder) })
      const peer = await Requester.create(nodes, server)
      expect(await peer.register({ signedPeerRecord: await peer.seal() })).to.have.property('status', 'OK')
    })
  }

  it('goes on while the disk is full, and writes everything once there is space', async function () {
    const disk = mkdtempSync(path.join(os.tmpdir(), 'libp2p-tcp-stun-'))

    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk], { stdio: 'ignore' })
    } catch {
      rmSync(disk, { recursive: true })
      skipWithout(this, 'the board on a full disk', 'root, to mount a file system of 1 MiB')
      return
    }

    try {
      const location = path.join(disk, 'board')
      const server = await nodes.server({ store: await createStore(location) })
      fillDisk(disk)
      const failed = pEvent(server.services.board, 'store:failed', EVENT)
      const peers = await Promise.all(Array.from({ length: 3 }, async () => Requester.create(nodes, server)))

      for (const peer of peers) {
        for (let i = 0; i < 10; i++) {
          const answer = await peer.register({ ns: `namespace-${i}`, signedPeerRecord: await peer.seal() })
          expect(answer).to.have.property('status', 'OK')
        }
      }

      await failed
      expect((await peers[0].discover({ ns: 'namespace-1' })).registrations).to.have.lengthOf(3)

      const recovered = pEvent(server.services.board, 'store:recovered', EVENT)
      rmSync(path.join(disk, 'filler'))
      await recovered
      await server.stop()
      expect(await read(await createStore(location))).to.deep.equal({ damage: [], count: 30 })
    } finally {
      execFileSync('umount', ['-l', disk])
      rmSync(disk, { recursive: true })
    }
  })
})

/**
 * Store registrations of peers that do not exist
 */
async function fill (store: BoardStore, count: number, init: Partial<StoredRegistration> = {}): Promise<void> {
  await store.open({ onChange () {}, onGap () {}, onConnection () {}, onDamage () {} })

  for (let i = 0; i < count; i++) {
    const registration: StoredRegistration = {
      peer: `peer-${i}`,
      namespace: 'my-app',
      form: 'standard',
      record: new Uint8Array(300).fill(i),
      expires: Date.now() + 3_600_000,
      position: i + 1,
      via: 'helper',
      ...init
    }
    await store.write([{ type: 'put', registration }])
  }

  await store.close()
}

async function read (store: BoardStore): Promise<{ damage: string[], count: number }> {
  const damage: string[] = []
  let count = 0
  await store.open({ onChange () {}, onGap () {}, onConnection () {}, onDamage (text) { damage.push(text) } })

  for await (const { record } of store.load()) {
    expect(record).to.have.lengthOf.at.least(100)
    count++
  }

  await store.close()

  return { damage, count }
}

function damage (file: string): void {
  const bytes = readFileSync(file)
  const middle = bytes.byteLength >>> 1
  bytes.subarray(middle, middle + 100).fill(0xaa)
  writeFileSync(file, bytes)
}

function fillDisk (disk: string): void {
  const block = Buffer.alloc(4_096)
  const blocks: Buffer[] = []

  while (true) {
    blocks.push(block)

    try {
      writeFileSync(path.join(disk, 'filler'), Buffer.concat(blocks))
    } catch {
      return
    }
  }
}
