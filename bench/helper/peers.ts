/**
 * The members of a network and its attackers, in a process of their own
 */
import { generateKeyPair } from '@libp2p/crypto/keys'
import { STUNClient } from '../../src/stun/client.ts'
import { LightPeer } from '../../test/fixtures/light-peer.ts'
import { reserve } from '../../test/fixtures/relay-reservation.ts'
import { answer } from '../lib/child.ts'
import { Member } from './member.ts'

export type Question =
  { do: 'join', port: number, from: number, count: number, follow: boolean } |
  { do: 'poll', seconds: number } |
  { do: 'attack', port: number, stunPort: number, seconds: number, perSecond: number }

/**
 * As many members find each other, like those of one application
 */
const NAMESPACE_SIZE = 100
const PARALLEL_JOINS = 20

/**
 * The board slows down a connection that asks 20 times a second, so a member asks less often, in ms
 */
const POLL_INTERVAL = 60

const members: Member[] = []

answer<Question, any>(async question => {
  switch (question.do) {
    case 'join': return join(question)
    case 'poll': return poll(question.seconds)
    default: return attack(question.port, question.stunPort, question.seconds, question.perSecond)
  }
})

/**
 * @returns how long it took, in s
 */
async function join (
  { port, from, count, follow }: Extract<Question, { do: 'join' }>
): Promise<number> {
  const start = performance.now()
  const numbers = Array.from({ length: count }, (_, i) => from + i)

  await Promise.all(Array.from({ length: PARALLEL_JOINS }, async () => {
    for (let number = numbers.shift(); number != null; number = numbers.shift()) {
      const member = await Member.join(port, addressOf(number), `app-${Math.floor(number / NAMESPACE_SIZE)}`)
      members.push(member)

      if (follow) {
        await member.follow()
      }
    }
  }))

  return (performance.now() - start) / 1_000
}

/**
 * All members of this process ask again and again, not at the same time
 *
 * @returns the time of each poll, in ms
 */
async function poll (seconds: number): Promise<number[]> {
  const times: number[] = []
  const end = performance.now() + 1_000 * seconds

  await Promise.all(members.map(async (member, i) => {
    await new Promise(resolve => setTimeout(resolve, i * POLL_INTERVAL / members.length))

    while (performance.now() < end) {
      const start = performance.now()
      await member.discover(0)
      times.push(performance.now() - start)
      await new Promise(resolve => setTimeout(resolve, POLL_INTERVAL))
    }
  }))

  return times
}

/**
 * Strangers with addresses and keys of their own: a third reserves, a third registers
 * what is not theirs, a third comes to the STUN server and leaves
 *
 * @returns how many attempts were made
 */
async function attack (port: number, stunPort: number, seconds: number, perSecond: number): Promise<number> {
  const victim = await Member.join(port, '127.9.9.9', 'attack')
  const running = new Set<Promise<void>>()
  let attempts = 0
  const end = performance.now() + 1_000 * seconds

  while (performance.now() < end) {
    const number = attempts++
    const attempt = (number % 3 === 2
      ? askSTUN(stunPort)
      : visit(port, `127.8.${number >> 7 & 255}.${1 + (number & 127)}`, number % 3 === 0 ? undefined : victim))
      .catch(() => {})
      .finally(() => { running.delete(attempt) })
    running.add(attempt)
    await new Promise(resolve => setTimeout(resolve, 1_000 / perSecond))
  }

  await Promise.all(running)
  victim.leave()

  return attempts
}

async function visit (port: number, localAddress: string, victim?: Member): Promise<void> {
  const signal = AbortSignal.timeout(10_000)
  const peer = await LightPeer.connect({
    host: '127.0.0.1', port, localAddress, signal, privateKey: await generateKeyPair('Ed25519')
  })

  try {
    if (victim == null) {
      await reserve(peer, { signal })
    } else {
      await victim.registerBy(peer, signal)
    }
  } finally {
    peer.reset()
  }
}

async function askSTUN (port: number): Promise<void> {
  const client = new STUNClient({ server: { host: '127.0.0.1', port } })
  await client.connect()
  await client.request()
  client.close()
}

function addressOf (number: number): string {
  return `127.${1 + (number >> 14)}.${number >> 7 & 127}.${1 + (number & 127)}`
}
