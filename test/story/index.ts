/**
 * The main job as a story: `npm run story`, with `-- --json` for machines.
 * Every line is about an event of a real process.
 */
import { labSupport } from '../nat-lab/index.ts'
import { Narrator } from './narrator.ts'
import { NAT_TIMEOUT, laboratory, loopback } from './stage.ts'

/**
 * 15 times as often as by default, so that four minutes pass in 16 seconds
 */
const KEEP_ALIVE_INTERVAL = 1_000
const KEEP_ALIVES = 16

const json = process.argv.includes('--json')
const narrator = new Narrator(json)
const say = narrator.tell.bind(narrator)
const name = narrator.name.bind(narrator)
const support = labSupport()

if (!support.supported) {
  say(
    `${narrator.bad('No networks of its own on this machine')}, it needs ${support.missing}. The story is told on ` +
      'loopback instead: real sockets, but no NAT to be seen.',
    'no-laboratory',
    { missing: support.missing }
  )
}

const stage = support.supported ? await laboratory() : await loopback()

try {
  await tell()
} catch (err: any) {
  say(`${narrator.bad('The story broke off')}: ${err.message}`, 'failed', { message: err.message })
  process.exitCode = 1
} finally {
  await stage.close()
}

async function tell (): Promise<void> {
  const { stunServers, routers } = stage

  narrator.chapter('The cast')
  await Promise.all(
    stunServers.map(async ({ program }) => (support.supported ? program.waitFor('listening') : undefined))
  )
  say(
    `Two STUN servers, ${stunServers.map(({ uri }) => name(uri)).join(' and ')}, answer over TCP and never hang up.`,
    'stun-servers',
    { servers: stunServers.map(({ uri }) => uri) }
  )

  const carol = stage.carol()
  const { id: carolId, addresses: carolAddresses } = await carol.waitFor('started')
  // a public address is not announced before somebody has vouched for it
  const carolAddress =
    carolAddresses.find((address: string) => address.includes(`/ip4/${stage.carolAddress}/`)) ??
    `/ip4/${stage.carolAddress}/tcp/4001/p2p/${carolId}`
  say(
    `Carol is a stock @libp2p/tcp node ${routers == null ? '' : 'on the internet '}at ${name(stage.carolAddress)}.`,
    'carol',
    { id: carolId, addresses: carolAddresses }
  )

  const bob = stage.bob()
  const { id: bobId } = await bob.waitFor('started')
  say(
    `Bob is a stock @libp2p/tcp node ${routers == null ? 'at' : 'at home:'} ${name(stage.bobAddress)}` +
      `${routers == null ? '' : ` behind a router with ${name(routers.bob)}`}.`,
    'bob',
    { id: bobId, router: routers?.bob }
  )
  say(
    `Alice is ${routers == null ? 'at' : 'at home too:'} ${name(stage.aliceAddress)}` +
      (routers == null
        ? ''
        : ` behind a router with ${name(routers.alice)}, which changes her port and forgets it after ` +
          `${NAT_TIMEOUT} s of silence`) +
      '. Her node uses libp2p-tcp-stun.',
    'alice',
    { router: routers?.alice }
  )

  narrator.chapter('Alice gets a public address')
  const started = Date.now()
  const alice = stage.alice({ stunServers: stunServers.map(({ uri }) => uri), keepAliveInterval: KEEP_ALIVE_INTERVAL })
  const { id: aliceId, addresses } = await alice.waitFor('started')
  const mapping = alice.events.filter(({ event }) => event === 'mapping').at(-1)

  if (mapping?.external == null) {
    throw new Error(`Alice got no public address: ${JSON.stringify(mapping)}`)
  }

  const external = `${mapping.external}/p2p/${aliceId}`
  say(`She listens on ${name(mapping.local)}, and asks both servers from that very port.`, 'listening', {
    local: mapping.local
  })

  for (const { uri, program } of stunServers) {
    const { client } = await program.waitFor('binding')
    say(`${name(uri)} saw ${name(`${client.host} port ${client.port}`)} and told her.`, 'binding', {
      server: uri,
      client
    })
  }

  const nat =
    routers == null
      ? 'They agree, and it is her own address: there is no NAT.'
      : 'They agree, so her NAT maps the port alike for everybody.'
  say(`${nat} ${narrator.good('She announces')} ${name(mapping.external)}.`, 'mapped', {
    ...mapping,
    addresses,
    startMs: Date.now() - started
  })

  narrator.chapter('Somebody dials in')
  alice.send('dial', { address: carolAddress })
  await alice.waitFor('dialled')
  const { remote } = await carol.waitFor('connected')
  say(
    `Alice says hello to Carol. Carol sees her come from ${name(remote.replace(/\/p2p\/.*/, ''))}: she dials from ` +
      'her listening port.',
    'alice-dialled-carol',
    { remote }
  )
  const { addresses: learned } = await carol.waitFor('identified')
  say(`By identify Carol learns where Alice can be dialled: ${learned.map(name).join(', ')}.`, 'identified', {
    addresses: learned
  })

  if (!learned.includes(mapping.external)) {
    throw new Error('Carol did not learn the public address')
  }

  alice.send('hangUp', { peer: carolId })
  await carol.waitFor('disconnected')
  say('They hang up. Now from the other side:', 'hung-up')
  carol.send('echo', { address: external, bytes: 1_048_576 })
  const carolEcho = await carol.waitFor('echoed')
  say(
    `${narrator.good('Carol dials Alice')} at ${name(carolEcho.remote.replace(/\/p2p\/.*/, ''))} and sends a ` +
      `mebibyte there and back: ${carolEcho.equal === true ? 'every byte is right' : 'but it is not the same'}.`,
    'carol-dialled-alice',
    carolEcho
  )

  bob.send('echo', { address: external, bytes: 65_536 })
  const bobEcho = await bob.waitFor('echoed')
  say(
    `${narrator.good('Bob dials her too')}${routers == null ? '' : ', from one home into the other'}.`,
    'bob-dialled-alice',
    bobEcho
  )
  bob.send('hangUp', { peer: aliceId })
  await bob.waitFor('hung-up')
  carol.send('hangUp', { peer: aliceId })
  await carol.waitFor('hung-up')

  narrator.chapter('Time passes')
  say(
    `Nobody talks to Alice. Her node probes one connection every ${KEEP_ALIVE_INTERVAL / 1_000} s and the other one ` +
      'a third as often, 15 times as often as by default' +
      (routers == null ? '.' : ', and her router forgets 15 times as fast.'),
    'waiting',
    { keepAliveInterval: KEEP_ALIVE_INTERVAL, keepAlives: KEEP_ALIVES }
  )

  for (let i = 0; i < KEEP_ALIVES; i++) {
    await stunServers[0].program.waitFor('binding')
  }

  const times = Math.floor((KEEP_ALIVES * KEEP_ALIVE_INTERVAL) / 1_000 / NAT_TIMEOUT)
  say(
    `${KEEP_ALIVES} intervals later, four minutes at the default, ` +
      (routers == null ? '' : `${times} times what her router remembers, `) +
      'Bob tries again:',
    'waited'
  )
  bob.send('echo', { address: external, bytes: 65_536 })
  const again = await bob.waitFor('echoed')
  const changes = alice.events.filter(
    ({ event, external }) => event === 'mapping' && external != null && external !== mapping.external
  )
  say(
    `${narrator.good('Alice still answers')} at ${name(mapping.external)}. Her address changed ${changes.length} ` +
      'times.',
    'still-alive',
    { ...again, changes: changes.length }
  )

  if ([carolEcho, bobEcho, again].some(({ equal }) => equal !== true)) {
    throw new Error('Not every byte came back')
  }

  stunServers[0].program.send('counters')
  const counters = await stunServers[0].program.waitFor('counters')
  say(
    `The first server has answered ${counters.bindings} Bindings on ${counters.accepted} ` +
      `connection${counters.accepted === 1 ? '' : 's'}.`,
    'server',
    counters
  )
  say(
    `${narrator.good('The end')}: ` +
      (routers == null
        ? 'two peers have dialled a third at the address that STUN servers told it.'
        : 'a peer behind one NAT has dialled a peer behind another, over plain TCP.'),
    'end',
    { connected: true }
  )
}
