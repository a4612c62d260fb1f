import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { generateKey } from '@libp2p/pnet'
import { expect } from 'aegir/chai'
import { runTimes } from '../fixtures/extent.ts'
import { laboratory } from '../fixtures/laboratory.ts'
import { ALLOCATIONS } from '../nat-lab/index.ts'
import {
  ATTEMPT, BUDGET, LATENCY, ORDINARY, easy, expectDirect, expectRelayed, hard, startPair, withOptions
} from './hard-pair.ts'
import { BYTES, setUp } from './homes.ts'
import type { HardPair } from './hard-pair.ts'
import type { Homes, Side } from './homes.ts'

/**
 * Only a wide punch reaches them
 */
const PORTS = ALLOCATIONS['ports from 32768 to 60999']
const SIDES = { hard: hard({ ports: PORTS }), easy: easy() }

describe('who is attested without a relay', function () {
  this.timeout(180_000)

  const { create } = laboratory('all')
  let homes: Homes

  before(async () => {
    homes = await setUp(await create(), { a: SIDES.hard, b: SIDES.easy, latency: LATENCY })
  })

  /**
   * Without trust the offer would not even be made. A punch may fail by chance.
   */
  async function expectWide (startPair: () => Promise<HardPair>): Promise<void> {
    const succeeded = await runTimes(1, async () => {
      const punch = await startPair()
      const outcomes = await Promise.all([punch.hard, punch.easy].map(async node => node.happened(({ event }) =>
        event === 'hole-punch:success' || event === 'hole-punch:failure', ATTEMPT)))
      const isDirect = outcomes.every(({ event }) => event === 'hole-punch:success')

      if (isDirect) {
        await expectDirect(punch, BYTES)
        expect((await punch.count()).hard).to.be.above(BUDGET + ORDINARY)
      } else {
        process.stdout.write(`      ${outcomes.map(({ event, message }) => message ?? event).join(', ')}\n`)
      }

      await punch.stop()

      return isDirect
    })

    expect(succeeded).to.equal(1)
  }

  it('a peer of the allow-list: the punch is wide', async () => {
    const [hardKey, easyKey] = await Promise.all([generateKeyPair('Ed25519'), generateKeyPair('Ed25519')])
    const trusting = (side: Side, own: typeof hardKey, peer: typeof hardKey): Side => withOptions(side, {
      privateKey: Buffer.from(privateKeyToProtobuf(own)).toString('base64'),
      dcutrInit: { hardPunch: 'wide', trustedPeers: [peerIdFromPrivateKey(peer).toString()] }
    })

    await expectWide(async () => startPair(homes, {
      hard: trusting(SIDES.hard, hardKey, easyKey),
      easy: trusting(SIDES.easy, easyKey, hardKey)
    }, 'hard'))
  })

  it('a peer that is not on the list: no punch', async () => {
    const other = peerIdFromPrivateKey(await generateKeyPair('Ed25519')).toString()
    const dcutrInit = { hardPunch: 'wide' as const, trustedPeers: [other] }
    const punch = await startPair(homes, {
      hard: withOptions(SIDES.hard, { dcutrInit }),
      easy: withOptions(SIDES.easy, { dcutrInit })
    }, 'hard')
    const { outcome } = await punch.hard.happened(({ event }) => event === 'hard-punch')

    expect(outcome).to.equal('too-many-ports')
    await expectRelayed(punch)
    await punch.stop()
  })

  it('a peer of the same private network: the punch is wide', async () => {
    const key = new Uint8Array(95)
    generateKey(key)
    const networkKey = Buffer.from(key).toString()
    const listen = [homes.relayAddress.replace(/4001.*/, '4002')]
    const relay = homes.relayHost.run('node', { listen, stock: true, relay: true, networkKey })
    const { id: relayId } = await relay.waitFor('started')
    const isPrivate = { networkKey, dcutrInit: { hardPunch: 'wide' as const } }

    await expectWide(async () => startPair({ ...homes, relayId, relayAddress: `${listen[0]}/p2p/${relayId}` }, {
      hard: withOptions(SIDES.hard, isPrivate),
      easy: withOptions(SIDES.easy, isPrivate)
    }, 'hard'))
    await relay.stop()
  })
})
