/**
 * Dials one address repeatedly over plain TCP, and counts the results
 */
import net from 'node:net'
import { resetSocket } from '../../../src/net/reset-socket.ts'
import { emit, handleCommands, readOptions } from '../../child/commands.ts'

export interface DiallerInit {
  /**
   * The time between two dials, in ms
   *
   * @default 50
   */
  every?: number

  /**
   * The time after which an unanswered dial is lost, in ms
   *
   * @default 3_000
   */
  timeout?: number
}

/**
 * The number of dials between two progress events
 */
const PROGRESS = 10

const { every = 50, timeout = 3_000 } = readOptions<DiallerInit>()
const tally = { dials: 0, reached: 0, lost: 0 }
const underWay = new Set<Promise<void>>()
let timer: NodeJS.Timeout | undefined

/**
 * @param host
 * @param port
 * @param isKept - whether the connection stays open, so that its address can be read at the other end
 * @returns why the dial failed, undefined if it did not
 */
async function dial (host: string, port: number, isKept = false): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  const socket = net.connect({ host, port })
  const expiry = setTimeout(() => { resolve('timeout') }, timeout)
  socket.once('connect', () => { resolve(undefined) })
  socket.once('error', (err: NodeJS.ErrnoException) => {
    // a SYN is refused, only an established connection is reset: a node of libp2p
    // does that to a host that dials too often
    resolve(err.code === 'ECONNRESET' ? undefined : err.code ?? err.message)
  })
  const failure = await promise
  clearTimeout(expiry)
  socket.on('error', () => {})

  if (!isKept) {
    resetSocket(socket)
  }

  return failure
}

async function count (host: string, port: number): Promise<void> {
  tally.dials++
  const started = Date.now()
  const failure = await dial(host, port)

  if (failure == null) {
    tally.reached++
  } else {
    tally.lost++
    emit('lost', { failure, host, port, started })
  }

  if (tally.dials % PROGRESS === 0) {
    emit('progress', tally)
  }
}

handleCommands({
  // dial once
  probe: async ({ host, port }) => { emit('probe', { failure: await dial(host, port) }) },
  // dial once, and stay connected
  hold: async ({ host, port }) => { emit('hold', { failure: await dial(host, port, true) }) },
  // dial this address repeatedly from now on
  aim: ({ host, port }) => {
    clearInterval(timer)
    Object.assign(tally, { dials: 0, reached: 0, lost: 0 })
    timer = setInterval(() => {
      const dialling = count(host, port).finally(() => { underWay.delete(dialling) })
      underWay.add(dialling)
    }, every)
    emit('aim')
  },
  // stop, and report the counts
  cease: async () => {
    clearInterval(timer)
    await Promise.all(underWay)
    emit('cease', tally)
  }
}, () => { clearInterval(timer) })

emit('ready')
