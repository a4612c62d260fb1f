/**
 * The members of a network and its attackers, in a process of their own
 */
import { execFileSync } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { LightPeer } from '../../test/fixtures/light-peer.ts'
import { reserve } from '../../test/fixtures/relay-reservation.ts'
import { answer } from '../lib/child.ts'
import { askSTUN } from './ask-stun.ts'
import { Member } from './member.ts'

export type Question =
  { do: 'join', port: number, from: number, count: number, follow: boolean } |
  { do: 'poll', seconds: number } |
  { do: 'come', port: number, seconds: number } |
  { do: 'attack', port: number, stunPort: number, seconds: number, perSecond: number }

/**
 * As many members find each other, like those of one application
 */
const NAMESPACE_SIZE = 100
const PARALLEL_JOINS = 20

/**
 * The board slows down a connection that asks 20 times a second, so a member asks less often: after
 * this time on average, in ms
 */
const POLL_INTERVAL = 60

/**
 * How often a newcomer comes, and after which time it tries again when it is refused, in ms
 */
const NEWCOMER_INTERVAL = 400
const RETRY = 250
const MAX_ATTEMPTS = 20

/**
 * The status of the relay's answer
 */
const OK = 100

const members: Member[] = []
const newcomers = { count: 0 }
const attackers = { count: 0 }

answer<Question, any>(async question => {
  switch (question.do) {
    case 'join': return join(question)
    case 'poll': return poll(question.seconds)
    case 'come': return come(question.port, question.seconds)
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
      const member = await joinAtLast(port, addressOf(number), `app-${Math.floor(number / NAMESPACE_SIZE)}`)
      members.push(member)

      if (follow) {
        await member.follow()
      }
    }
  }))

  return (performance.now() - start) / 1_000
}

/**
 * A helper that has no time for a newcomer closes its connection: then it comes again, as a node
 * does
 */
async function joinAtLast (...member: Parameters<typeof Member.join>): Promise<Member> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await Member.join(...member)
    } catch (err) {
      if (attempt === MAX_ATTEMPTS) {
        throw err
      }

      await delay(RETRY)
    }
  }
}

/**
 * All members of this process ask again and again. They draw when: otherwise all of them would ask at the same
 * moment for ever once the helper has kept them waiting, and one pause would be ten slow polls.
 *
 * @returns the time of each poll, in ms
 */
async function poll (seconds: number): Promise<number[]> {
  const times: number[] = []
  const end = performance.now() + 1_000 * seconds

  await Promise.all(members.map(async member => {
    while (performance.now() < end) {
      await delay(2 * Math.random() * POLL_INTERVAL)
      const start = performance.now()
      await member.discover(0)
      times.push(performance.now() - start)
    }
  }))

  return times
}

/**
 * Newcomers with addresses of their own want a reservation, one after the other
 *
 * @returns how long each had to wait for it, in ms
 */
async function come (port: number, seconds: number): Promise<number[]> {
  const times: Array<Promise<number>> = []
  const end = performance.now() + 1_000 * seconds

  while (performance.now() < end) {
    times.push(waitForReservation(port, `127.6.${newcomers.count++ & 255}.1`))
    await delay(NEWCOMER_INTERVAL)
  }

  return Promise.all(times)
}

async function waitForReservation (port: number, localAddress: string): Promise<number> {
  const start = performance.now()

  while (true) {
    try {
      if (await visit(port, localAddress) === OK) {
        return performance.now() - start
      }
    } catch {
      // the helper has closed the connection
    }

    await delay(RETRY)
  }
}

/**
 * Strangers with keys of their own, each from another network, as long as there are some: a third reserves, a third
 * registers what is not theirs, a third comes to the STUN server and leaves
 *
 * @returns how many attempts were made
 */
async function attack (port: number, stunPort: number, seconds: number, perSecond: number): Promise<number> {
  yieldProcessor()
  const victim = await joinAtLast(port, '127.5.9.9', 'attack')
  const running = new Set<Promise<void>>()
  const start = performance.now()
  let attempts = 0

  while (performance.now() < start + 1_000 * seconds) {
    const number = attackers.count++
    attempts++
    const attempt: Promise<void> = (number % 3 === 2
      ? askSTUN(stunPort)
      : visit(port, `127.${8 + (number >> 8) % 240}.${number & 255}.1`, number % 3 === 0 ? undefined : victim))
      .then(() => {}, () => {})
      .finally(() => { running.delete(attempt) })
    running.add(attempt)
    // however long the timers take
    await delay(start + 1_000 * attempts / perSecond - performance.now())
  }

  await Promise.all(running)
  victim.leave()

  return attempts
}

/**
 * Strangers have computers of their own: they must not take the processor from the helper. So they have it only while
 * nobody else wants it (SCHED_IDLE), the threads that make keys and collect garbage too.
 */
function yieldProcessor (): void {
  execFileSync('chrt', ['--all-tasks', '--idle', '--pid', '0', String(process.pid)])
}

/**
 * @returns the status of the reservation
 */
async function visit (port: number, localAddress: string, victim?: Member): Promise<number | undefined> {
  const signal = AbortSignal.timeout(10_000)
  const peer = await LightPeer.connect({
    host: '127.0.0.1', port, localAddress, signal, privateKey: await generateKeyPair('Ed25519')
  })

  try {
    if (victim == null) {
      return await reserve(peer, { signal })
    }

    await victim.registerBy(peer, signal)
  } finally {
    peer.reset()
  }
}

function addressOf (number: number): string {
  return `127.${1 + (number >> 14)}.${number >> 7 & 127}.${1 + (number & 127)}`
}
