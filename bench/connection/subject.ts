/**
 * One end of a subject's connections, in a process of its own
 */
import { Uint8ArrayList } from 'uint8arraylist'
import { answer } from '../lib/child.ts'
import { createEnds } from './ends.ts'
import type { End, Subject } from './ends.ts'
import type { Done, Question } from './questions.ts'

/**
 * The bytes between two readings of the clock, whose cost would show with small
 * messages
 */
const CLOCK_INTERVAL = 65_536

const [,, subject, kind] = process.argv
const factory = await createEnds(subject as Subject, kind === 'stack')
const ends: End[] = []
let message: Uint8Array | Uint8ArrayList
let begin = 0
let deadline = 0
let sent = 0
let received = 0
let onReceived = (): void => {}
let onSent = (): void => {}
let onReply: (end: End) => void = () => {}

answer(async (question: Question): Promise<string | Done | undefined> => {
  switch (question.do) {
    case 'listen':
      message = toMessage(question.size, question.pieces)

      return factory.listen(end => {
        if (question.reply) {
          echo(end, question.size)
        } else {
          oneWay(end)
        }
      })
    case 'connect':
      message = toMessage(question.size, question.pieces)

      for (let i = 0; i < question.connections; i++) {
        const end = await factory.connect(question.address)

        if (question.reply) {
          onMessage(end, question.size, reply)
          ends.push(end)
        } else {
          oneWay(end)
        }
      }

      return
    case 'begin':
      received = 0
      begin = performance.now()
      return
    case 'send':
      sent = 0
      begin = performance.now()
      deadline = begin + question.time
      await new Promise<void>(resolve => {
        onSent = resolve
        pump()
      })
      return done(sent)
    case 'receive':
      await new Promise<void>(resolve => {
        onReceived = () => {
          if (received === question.length) {
            resolve()
          }
        }
        onReceived()
      })
      return done(received)
    case 'request':
      return done(await request(question.time))
    default:
      throw new Error('Unknown question')
  }
})

function reply (end: End): void {
  onReply(end)
}

function done (amount: number): Done {
  const { timeOrigin } = performance

  return { begin: timeOrigin + begin, end: timeOrigin + performance.now(), amount }
}

function toMessage (size: number, pieces: number): Uint8Array | Uint8ArrayList {
  return pieces === 1
    ? new Uint8Array(size)
    : new Uint8ArrayList(...Array.from({ length: pieces }, () => new Uint8Array(size / pieces)))
}

/**
 * Either end may send
 */
function oneWay (end: End): void {
  ends.push(end)
  end.onDrain(pump)
  end.onBytes(length => {
    received += length
    onReceived()
  })
}

function echo (end: End, size: number): void {
  const reply = new Uint8Array(size)
  onMessage(end, size, () => { end.send(reply) })
}

/**
 * Call the handler for each whole message of this size
 */
function onMessage (end: End, size: number, handler: (end: End) => void): void {
  let length = 0

  end.onBytes(more => {
    length += more

    while (length >= size) {
      length -= size
      handler(end)
    }
  })
}

/**
 * Send until the connection needs to drain, or the time is over
 */
function pump (): void {
  let nextLook = sent

  while (true) {
    if (sent >= nextLook) {
      if (performance.now() >= deadline) {
        onSent()
        return
      }

      nextLook += CLOCK_INTERVAL
    }

    sent += message.byteLength

    if (!ends[0].send(message)) {
      return
    }
  }
}

/**
 * Keep one message in flight on each connection
 */
async function request (time: number): Promise<number> {
  let waiting = ends.length
  let replies = 0
  begin = performance.now()
  deadline = begin + time

  await new Promise<void>(resolve => {
    onReply = end => {
      replies++

      if (performance.now() < deadline) {
        end.send(message)
      } else if (--waiting === 0) {
        resolve()
      }
    }
    ends.forEach(end => { end.send(message) })
  })

  return replies
}
