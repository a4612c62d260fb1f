import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { skipWithout } from '../../../test/fixtures/missing-tool.ts'
import { createRedis, hasRedis } from '../../../test/fixtures/redis.ts'
import { waitUntil } from '../../../test/fixtures/wait-until.ts'
import { createStore } from '../src/rendezvous/index.ts'
import { boardNodes, untilFound } from './fixtures/board-nodes.ts'
import { Requester } from './fixtures/rendezvous-requests.ts'
import type { BoardServer } from './fixtures/board-nodes.ts'
import type { Redis } from '../../../test/fixtures/redis.ts'

const EVENT = { timeout: 20_000 }

describe('a board of several helpers, on Redis', function () {
  const nodes = boardNodes()
  let redis: Redis

  before(function () {
    if (!hasRedis()) {
      skipWithout(this, 'the board on Redis', 'apt-get install redis-server')
    }
  })

  beforeEach(async () => { redis = await createRedis() })
  afterEach(async () => { await redis.close() })

  async function startHelper (): Promise<BoardServer> {
    return nodes.server({ store: await createStore(redis.url) })
  }

  async function untilRegistered (helper: BoardServer, count: number): Promise<void> {
    await waitUntil(`a helper has ${count} registrations`, () => helper.services.board.registrations === count, 20_000)
  }

  it('lets peers find each other that know different helpers', async () => {
    await redis.start()
    const [one, two] = await Promise.all([startHelper(), startHelper()])
    const a = await nodes.client({ servers: one.getMultiaddrs() })
    const b = await nodes.client({ servers: two.getMultiaddrs() })
    await Promise.all([untilFound(a, b.peerId), untilFound(b, a.peerId)])

    await a.stop()
    await Promise.all([untilRegistered(one, 1), untilRegistered(two, 1)])
  })

  it('gives a helper that starts later the whole board', async () => {
    await redis.start()
    const one = await startHelper()
    const a = await nodes.client({ servers: one.getMultiaddrs() })
    await untilRegistered(one, 1)
    // what was registered is written in the background
    await one.stop()

    const two = await startHelper()
    expect(two.services.board.registrations).to.equal(1)
    const b = await nodes.client({ servers: two.getMultiaddrs() })
    await untilFound(b, a.peerId)
  })

  it('goes on while Redis is away, and catches up when it is back', async () => {
    await redis.start()
    const [one, two] = await Promise.all([startHelper(), startHelper()])
    const a = await nodes.client({ servers: one.getMultiaddrs() })
    await untilRegistered(two, 1)

    const failed = Promise.all([one, two].map(async ({ services }) => pEvent(services.board, 'store:failed', EVENT)))
    await redis.kill()
    await failed
    expect(one.services.board.storeState).to.equal('failing')

    // newcomers are found at their own helper
    const b = await nodes.client({ servers: one.getMultiaddrs() })
    const c = await nodes.client({ servers: two.getMultiaddrs() })
    await Promise.all([untilFound(a, b.peerId), untilFound(b, a.peerId), untilFound(c, a.peerId)])

    // Redis has forgotten everything
    const recovered = Promise.all(
      [one, two].map(async ({ services }) => pEvent(services.board, 'store:recovered', EVENT))
    )
    await redis.start()
    await recovered
    await Promise.all([untilRegistered(one, 3), untilRegistered(two, 3)])
    await Promise.all([untilFound(a, c.peerId), untilFound(c, b.peerId)])
    expect(one.services.board.storeState).to.equal('working')
  })

  it('starts without Redis, and joins the others when it is there', async () => {
    const one = await startHelper()
    const a = await nodes.client({ servers: one.getMultiaddrs() })
    await untilRegistered(one, 1)
    expect(one.services.board.storeState).to.equal('failing')

    await redis.start()
    await pEvent(one.services.board, 'store:recovered', EVENT)
    const two = await startHelper()
    await untilRegistered(two, 1)
    const b = await nodes.client({ servers: two.getMultiaddrs() })
    await Promise.all([untilFound(a, b.peerId), untilFound(b, a.peerId)])
  })

  it('keeps a peer that leaves one of its helpers', async () => {
    await redis.start()
    const one = await startHelper()
    const two = await nodes.server({ store: await createStore(redis.url), graceTime: 0 })
    const peer = await Requester.create(nodes, one)
    const signedPeerRecord = await peer.seal()
    await peer.register({ signedPeerRecord })
    await peer.at(two).register({ signedPeerRecord })
    await untilRegistered(one, 1)

    // the second helper removes the registration, the first one puts it back
    await two.hangUp(peer.node.peerId)
    await waitUntil('the second helper has removed it', () => two.services.board.counters.expired === 1, 20_000)
    await untilRegistered(two, 1)
    expect(one.services.board.registrations).to.equal(1)
  })
})
