import { spawn } from 'node:child_process'
import { peerIdFromString } from '@libp2p/peer-id'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { boardNodes, foundBy, untilFound } from '../../packages/tcp-stun/test/fixtures/board-nodes.ts'
import { Program } from '../child/program.ts'
import { skipWithout } from '../fixtures/missing-tool.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import { BINARIES, missingPeers } from './peers.ts'
import { report } from './report.ts'
import type { ProgramEvent } from '../child/program.ts'

const NAMESPACE = 'my-app'
const EVENT = { timeout: 20_000 }

/**
 * In the order of the program's events, on loopback
 */
describe('the board with rust-libp2p', function () {
  this.timeout(60_000)

  const nodes = boardNodes()
  const programs: Program[] = []

  before(function () {
    const missing = missingPeers(['rust'])

    if (missing != null) {
      skipWithout(this, 'the board with rust-libp2p', missing)
    }
  })

  afterEach(async () => { await Promise.all(programs.splice(0).map(async program => program.stop())) })

  async function startRust (...flags: string[]): Promise<{ rust: Program, id: string, address: string }> {
    const rust = new Program('rust', spawn(BINARIES.rust, ['--listen', '/ip4/127.0.0.1/tcp/0', ...flags]))
    programs.push(rust)
    const { id, addresses } = await rust.waitFor('started')

    return { rust, id, address: addresses[0] }
  }

  async function discover (rust: Program, address: string): Promise<string[]> {
    const { peers }: ProgramEvent = await rust.ask('discover', { address, namespace: NAMESPACE }, 'discovered')

    return peers.map(({ id }: { id: string }) => id)
  }

  it('serves rust clients: they register, find each other and our nodes, and leave', async () => {
    const server = await nodes.server()
    const address = String(server.getMultiaddrs()[0])
    const a = await startRust()
    const b = await startRust()
    const ours = await nodes.client({ servers: [address], legacyRecords: true })
    // rust-libp2p drops an answer with a record in the form of this one
    const standard = await nodes.client({ servers: [address] })
    await waitUntil('ours are registered', () => server.services.board.registrations === 3)

    for (const { rust } of [a, b]) {
      expect(await rust.ask('register', { address, namespace: NAMESPACE }, 'registered')).to.include({ ttl: 7_200 })
    }

    expect(await discover(a.rust, address)).to.have.members([a.id, b.id, String(ours.peerId)])
    // what is new since then: nothing
    expect(await discover(a.rust, address)).to.deep.equal([])
    const found = await untilFound(standard, peerIdFromString(a.id))
    expect(found.multiaddrs.map(String)).to.deep.equal([a.address.split('/p2p/')[0]])
    expect((await standard.dial(peerIdFromString(a.id))).remotePeer.toString()).to.equal(a.id)

    b.rust.send('unregister', { address, namespace: NAMESPACE })
    await waitUntil('the other one has left', () => server.services.board.registrations === 4)
    report({ scenario: 'a board', peers: 'rust on js', attempts: 1, succeeded: 1 })
  })

  it('serves a rust client that reads before it registers', async () => {
    const server = await nodes.server()
    const address = String(server.getMultiaddrs()[0])
    await nodes.client({ servers: [address] })
    const ours = await nodes.client({ servers: [address], legacyRecords: true })
    await waitUntil('both are registered', () => server.services.board.registrations === 3)
    const { rust } = await startRust()
    await rust.ask('dial', { address }, 'dialled')
    await waitUntil('it has been identified', async () => (await server.peerStore.all())
      .some(({ metadata }) => new TextDecoder().decode(metadata.get('AgentVersion')).startsWith('rust-libp2p')))

    expect(await discover(rust, address)).to.deep.equal([String(ours.peerId)])
  })

  it('has a client for rust servers', async () => {
    const server = await startRust('--rendezvous-server')
    const servers = [server.address]
    const a = await nodes.client({ servers, pollInterval: 200 })
    await pEvent(a.services.board, 'registered', EVENT)
    const b = await nodes.client({ servers, pollInterval: 200 })
    await Promise.all([untilFound(a, b.peerId), untilFound(b, a.peerId)])

    // a rust client finds them there
    const { rust, id } = await startRust()
    await rust.ask('register', { address: server.address, namespace: NAMESPACE }, 'registered')
    expect(await discover(rust, server.address)).to.include.members([String(a.peerId), String(b.peerId)])
    await untilFound(a, peerIdFromString(id))

    // and not one that has stopped
    await b.stop()
    const last = await startRust()
    expect(await discover(last.rust, server.address)).to.have.members([String(a.peerId), id])
    expect(foundBy(a)).to.have.lengthOf(2)
    report({ scenario: 'a board', peers: 'js on rust', attempts: 1, succeeded: 1 })
  })
})
