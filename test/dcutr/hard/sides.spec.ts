import net from 'node:net'
import { pbStream, streamPair } from '@libp2p/utils'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { acceptOffer, punchAsEasySide } from '../../../src/dcutr/hard/easy-side.ts'
import { HardPunchError } from '../../../src/dcutr/hard/errors.ts'
import { makeOffer, prepareOffer, punchAsHardSide } from '../../../src/dcutr/hard/hard-side.ts'
import { HardPunchMessage } from '../../../src/dcutr/hard/message.ts'
import { DEFAULT_BUDGET } from '../../../src/dcutr/hard/plan.ts'
import { Exchange } from '../../../src/dcutr/hard/protocol.ts'
import { bindSocket } from '../../../src/net/bound-socket.ts'
import { closesAfterEach } from '../../fixtures/cleanup.ts'
import { waitUntil } from '../../fixtures/wait-until.ts'
import type { EasySideInit } from '../../../src/dcutr/hard/easy-side.ts'
import type { HardSideInit, Met } from '../../../src/dcutr/hard/hard-side.ts'
import type { Facts } from '../../../src/dcutr/hard/offer.ts'
import type { PortRange, PortSample } from '../../../src/dcutr/hard/port-prediction.ts'
import type { Stream } from '@libp2p/interface'

const LOOPBACK = '127.0.0.1'

/**
 * A NAT that keeps ports, as far as its samples tell
 */
const SAMPLES: PortSample[] = [5_001, 5_002, 5_003].map((port, i) => ({
  localPort: port,
  externalHost: '1.2.3.4',
  externalPort: port,
  at: i
}))

type Death = (stream: Stream) => void | Promise<void>

/**
 * What a peer does in place of the next message
 */
const DEATHS: Record<string, Death> = {
  'resets the stream': stream => { stream.abort(new Error('gone')) },
  'ends the stream': async stream => { await stream.close() },
  'sends rubbish': stream => { stream.send(Uint8Array.from([4, 0xff, 0xff, 0xff, 0xff])) },
  'sends a message that is too long': stream => { stream.send(Uint8Array.from([0xff, 0xff, 0xff, 0x7f])) },
  'sends another message': async stream => {
    await pbStream(stream).pb(HardPunchMessage).write({ type: 'probed' })
  },
  'says why it fails': async stream => {
    await pbStream(stream).pb(HardPunchMessage).write({ type: 'failed', reason: 'busy', text: 'later' })
  },
  'is silent': () => {}
}

describe('the sides of a hard punch', () => {
  const { closing, closeLater } = closesAfterEach()
  let hard: Stream
  let easy: Stream
  let used: number

  beforeEach(async () => {
    [hard, easy] = await streamPair()
    used = 0
  })

  const signal = (ms = 2_000): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(ms) })

  /**
   * A port of this machine, which resets those that connect, until `listen`
   */
  function freePort (): { port: number, listen(): Promise<net.Server> } {
    const bound = bindSocket({ host: LOOPBACK, port: 0 })
    closing.push(bound)

    return {
      port: bound.port,
      listen: async () => {
        const server = net.createServer()
        bound.listen(server)
        await pEvent(server, 'listening')

        return closeLater(server)
      }
    }
  }

  function hardSide (init: Partial<HardSideInit> = {}): HardSideInit {
    return {
      exchange: new Exchange(hard),
      mapping: { samples: SAMPLES, bindOnce: async () => SAMPLES[0] },
      budgets: [DEFAULT_BUDGET],
      allow: async () => {},
      onStart: () => {},
      ...init
    }
  }

  function easySide (port: number, facts: Partial<Facts> = {}): EasySideInit {
    return {
      exchange: new Exchange(easy),
      facts: {
        own: {
          side: 'easy',
          local: { host: LOOPBACK, port, family: 4 },
          external: { host: LOOPBACK, port },
          servers: []
        },
        announced: [],
        ...facts
      },
      budgetFor: async () => DEFAULT_BUDGET,
      random: Math.random,
      take: () => ({ use: () => { used++ }, end: () => {} }),
      allow: async remotes => remotes
    }
  }

  async function punch (init: HardSideInit, options: { signal: AbortSignal }): Promise<Met> {
    return punchAsHardSide(init, await makeOffer(init.exchange, await prepareOffer(init, options), options), options)
  }

  it('where the easy side admits strangers, the first connect is an ordinary dial', async () => {
    const server = await freePort().listen()
    const { port } = server.address() as net.AddressInfo
    server.on('connection', socket => { socket.on('error', () => {}) })
    const punching = punch(hardSide(), signal())
    await acceptOffer(easySide(port), signal())
    const met = await punching

    expect(met).to.deep.include({ initiator: true, remote: { host: LOOPBACK, port } })
    met.socket.destroy()
  })

  it('where the router of the easy side resets strangers, the easy side goes first', async () => {
    const { port, listen } = freePort()
    const messages = pbStream(easy).pb(HardPunchMessage)
    const punching = punch(hardSide(), signal())
    await messages.read(signal())
    await messages.write({ type: 'accept', endpoint: { host: LOOPBACK, port }, probes: 64 }, signal())
    expect(await messages.read(signal())).to.include({ type: 'start', order: 'easy-first' })
    let connections = 0
    const server = await listen()
    const spoken = Promise.withResolvers<void>()
    server.on('connection', socket => {
      socket.on('error', () => {})
      connections++
      socket.write('first')
      spoken.resolve()
    })
    expect(connections).to.equal(0)
    await messages.write({ type: 'probed' }, signal())
    await spoken.promise
    const met = await punching

    expect(met).to.deep.include({ initiator: false, remote: { host: LOOPBACK, port } })
    met.socket.destroy()
  })

  it('the hard side says that probes may come right before it asks for them, not sooner', async () => {
    const events: string[] = []
    const partner = pbStream(easy).pb(HardPunchMessage)
    const init = hardSide({ onStart: () => { events.push('probes may come') } })
    const agreed = prepareOffer(init, signal()).then(async prepared => makeOffer(init.exchange, prepared, signal()))

    await partner.read(signal())
    const endpoint = { host: LOOPBACK, port: freePort().port }
    await partner.write({ type: 'accept', endpoint, probes: 1, order: 'easy-first' })
    const agreement = await agreed
    events.push('agreed')
    const punch = punchAsHardSide(init, agreement, signal()).catch(err => err)
    const { type } = await partner.read(signal())
    events.push(`received ${type}`)
    easy.abort(new Error('enough'))
    await punch

    expect(events).to.deep.equal(['agreed', 'probes may come', 'received start'])
  })

  it('does not ask again who goes first where the easy side knows', async () => {
    const { port } = freePort()
    const init: EasySideInit = { ...easySide(port), order: 'easy-first' }
    const punching = punch(hardSide(), signal())
    punching.catch(() => {})
    const accepted = await acceptOffer(init, signal())
    const start = await init.exchange.receive('start', signal())

    // a test would have been reset, and leave one connect less
    expect(start).to.include({ order: 'easy-first' })
    expect(accepted.budget).to.equal(DEFAULT_BUDGET)
    await init.exchange.end(new HardPunchError('not-met', 'enough'), signal())
    await expect(punching).to.eventually.be.rejected.with.property('reason', 'not-met')
  })

  /**
   * Ports that climb, but not as those of a NAT that counts for us alone
   */
  const CLIMBING = [21_000, 21_061, 21_104, 21_170, 21_219, 21_283, 21_330, 21_391]
    .map((externalPort, i): PortSample => ({ localPort: 4_001, externalHost: '1.2.3.4', externalPort, at: 2_000 * i }))

  for (const [title, bindings, ranges] of [
    ['between two Bindings, if the NAT counts', [21_400, 21_500], [{ from: 21_401, to: 21_464 }]],
    ['anywhere in the block, if it does not', [21_400, 21_100], undefined],
    ['anywhere in the block, if no server may be asked', [], undefined],
    ['anywhere in the block, if none may be asked a second time', [21_400], undefined]
  ] as Array<[string, number[], PortRange[] | undefined]>) {
    it(`where the ports have climbed, the connects are looked for ${title}`, async () => {
      await climbed(bindings, ranges)
    })
  }

  async function climbed (bindings: number[], ranges?: PortRange[]): Promise<void> {
    const server = await freePort().listen()
    const { port } = server.address() as net.AddressInfo
    let connections = 0
    server.on('connection', socket => {
      connections++
      socket.on('error', () => {})
    })
    const ports = [...bindings]
    const bindOnce: HardSideInit['mapping']['bindOnce'] = async ({ onConnect } = {}) => {
      const externalPort = ports.shift()

      if (externalPort == null) {
        throw new Error('no server')
      }

      onConnect?.()

      return { ...CLIMBING[0], externalPort }
    }
    const messages = pbStream(easy).pb(HardPunchMessage)
    const punching = punch(hardSide({ mapping: { samples: CLIMBING, bindOnce } }), signal())
    punching.catch(() => {})
    const offer = await messages.read(signal())
    await messages.write({
      type: 'accept', endpoint: { host: LOOPBACK, port }, probes: 64, order: 'hard-first'
    }, signal())
    const start = await messages.read(signal())

    expect(start).to.have.deep.property('ranges', ranges ?? (offer.type === 'offer' && offer.ranges))
    await waitUntil('each connect was begun once', () => offer.type === 'offer' && connections === offer.connects)
    easy.abort(new Error('enough'))
    await expect(punching).to.eventually.be.rejected()
  }

  it('a peer that promises more probes than it was asked for is not waited for longer', async () => {
    const server = await freePort().listen()
    server.on('connection', socket => { socket.on('error', () => {}) })
    const messages = pbStream(easy).pb(HardPunchMessage)
    const punching = punch(hardSide(), signal(3_000))
    await messages.read(signal())
    await messages.write({
      type: 'accept',
      endpoint: { host: LOOPBACK, port: (server.address() as net.AddressInfo).port },
      probes: 2 ** 31 - 1,
      order: 'hard-first'
    }, signal())

    await expect(punching).to.eventually.be.rejected.with.property('reason', 'not-met')
  })

  it('the probes end with a reason when nobody is there', async () => {
    const { port } = freePort()
    const { port: refused } = freePort()
    const messages = pbStream(hard).pb(HardPunchMessage)
    const init = easySide(port)
    await messages.write({ type: 'offer', host: '1.2.3.4', ranges: [], connects: 4, probes: 4 })
    const accepted = await acceptOffer(init, signal())
    accepted.offer.host = LOOPBACK
    const ranges = [{ from: refused, to: refused }]
    await messages.write({ type: 'start', order: 'hard-first', ranges, roundTrip: 2 ** 40 })

    await expect(punchAsEasySide(init, accepted, signal())).to.eventually.be.rejected.with.property('reason', 'not-met')
  })

  it('refuses an offer, and says why', async () => {
    const init = easySide(4_001, { own: undefined })
    const other = hardSide()
    const punching = punch(other, signal())
    const err = await acceptOffer(init, signal()).catch(err => err)
    await init.exchange.end(err, signal())

    expect(err).to.have.property('reason', 'no-address')
    const refusal = await punching.catch(err => err)
    expect(refusal).to.have.property('reason', 'no-address')
    await other.exchange.end(refusal, signal())
    await waitUntil('both ends are closed', () => hard.status !== 'open' && easy.status !== 'open')
  })

  it('a limit that is reached is a refusal', async () => {
    const init = { ...easySide(4_001), take: () => { throw new HardPunchError('busy', 'another one') } }
    const punching = punch(hardSide(), signal())
    await init.exchange.end(await acceptOffer(init, signal()).catch(err => err), signal())

    await expect(punching).to.eventually.be.rejected.with.property('reason', 'busy')
  })

  it('the hard side sends nothing where it may not dial', async () => {
    const server = await freePort().listen()
    const allow = async (): Promise<void> => { throw new HardPunchError('denied', 'not there') }
    let connections = 0
    server.on('connection', () => { connections++ })
    const punching = punch(hardSide({ allow }), signal())
    await acceptOffer(easySide((server.address() as net.AddressInfo).port), signal())

    await expect(punching).to.eventually.be.rejected.with.property('reason', 'denied')
    expect(connections).to.equal(0)
  })

  it('the easy side sends nothing where the gater denies all', async () => {
    const init = { ...easySide(4_001), allow: async () => { throw new HardPunchError('denied', 'not there') } }
    const messages = pbStream(hard).pb(HardPunchMessage)
    await messages.write({ type: 'offer', host: '1.2.3.4', ranges: [], connects: 4, probes: 4 })
    const accepted = await acceptOffer(init, signal())
    await messages.write({ type: 'start', order: 'hard-first', ranges: [{ from: 5_000, to: 5_003 }], roundTrip: 40 })

    await expect(punchAsEasySide(init, accepted, signal())).to.eventually.be.rejected.with.property('reason', 'denied')
    expect(used).to.equal(0)
  })

  async function deathBeforeAcceptance (die: Death): Promise<void> {
    const punching = punch(hardSide(), signal(300))
    await pbStream(easy).pb(HardPunchMessage).read(signal())
    await die(easy)

    await expect(punching).to.eventually.be.rejected()
  }

  async function deathAfterStart (die: Death): Promise<void> {
    // what is connected to is silent, as a router that drops
    const server = await freePort().listen()
    const { port } = server.address() as net.AddressInfo
    const sockets: net.Socket[] = []
    server.on('connection', socket => { sockets.push(socket.on('error', () => {})) })
    const messages = pbStream(easy).pb(HardPunchMessage)
    const punching = punch(hardSide(), signal(1_000))
    await messages.read(signal())
    await messages.write({
      type: 'accept',
      endpoint: { host: LOOPBACK, port },
      probes: 64,
      order: 'hard-first'
    }, signal())
    expect(await messages.read(signal())).to.have.property('type', 'start')
    await waitUntil('all are connected', () => sockets.length === 4)
    await die(easy)

    await expect(punching).to.eventually.be.rejected()
    await waitUntil('no socket is left', () => sockets.every(({ destroyed }) => destroyed))
  }

  async function deathBeforeOffer (die: Death): Promise<void> {
    await Promise.resolve(die(hard))

    await expect(acceptOffer(easySide(4_001), signal(300))).to.eventually.be.rejected()
  }

  async function deathBeforeStart (die: Death): Promise<void> {
    const init = easySide(4_001)
    const offer: HardPunchMessage = { type: 'offer', host: '1.2.3.4', ranges: [], connects: 4, probes: 4 }
    await pbStream(hard).pb(HardPunchMessage).write(offer)
    const accepted = await acceptOffer(init, signal())
    await die(hard)

    await expect(punchAsEasySide(init, accepted, signal(300))).to.eventually.be.rejected()
    expect(used).to.equal(0)
  }

  for (const [title, die] of Object.entries(DEATHS)) {
    it(`hard side: the peer ${title} in place of an acceptance`, async () => { await deathBeforeAcceptance(die) })
    it(`hard side: the peer ${title} after the start`, async () => { await deathAfterStart(die) })
    it(`easy side: the peer ${title} in place of an offer`, async () => { await deathBeforeOffer(die) })
    it(`easy side: the peer ${title} in place of the start`, async () => { await deathBeforeStart(die) })
  }
})
