/**
 * A stranger who dials one address again and again over plain TCP, and counts
 */
import net from 'node:net'
import { resetSocket } from '../../../src/net/reset-socket.ts'
import { emit, handleCommands, readOptions } from '../../child/commands.ts'

export interface DiallerInit {
  /**
   * A dial every so many ms
   *
   * @default 50
   */
  every?: number

  /**
   * A dial that is not answered within so many ms is lost
   *
   * @default 3_000
   */
  timeout?: number
}

/**
 * How often to say how it goes, in dials
 */
const PROGRESS = 10

const { every = 50, timeout = 3_000 } = readOptions<DiallerInit>()
const tally = { dials: 0, reached: 0, lost: 0 }
const underWay = new Set<Promise<void>>()
let timer: NodeJS.Timeout | undefined

/**
 * @returns why it was not reached
 */
async function dial (host: string, port: number): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  const socket = net.connect({ host, port })
  const expiry = setTimeout(() => { resolve('timeout') }, timeout)
  socket.once('connect', () => { resolve(undefined) })
  socket.once('error', (err: NodeJS.ErrnoException) => {
    // a connection that is not there yet is refused, only one that is can be
    // reset: a node of libp2p does that to a host that dials too often
    resolve(err.code === 'ECONNRESET' ? undefined : err.code ?? err.message)
  })
  const failure = await promise
  clearTimeout(expiry)
  socket.on('error', () => {})
  resetSocket(socket)

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
  // dial again and again, from now on this address
  aim: ({ host, port }) => {
    clearInterval(timer)
    Object.assign(tally, { dials: 0, reached: 0, lost: 0 })
    timer = setInterval(() => {
      const dialling = count(host, port).finally(() => { underWay.delete(dialling) })
      underWay.add(dialling)
    }, every)
    emit('aim')
  },
  // stop, and say how it went
  cease: async () => {
    clearInterval(timer)
    await Promise.all(underWay)
    emit('cease', tally)
  }
}, () => { clearInterval(timer) })

emit('ready')
