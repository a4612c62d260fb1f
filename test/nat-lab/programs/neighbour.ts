/**
 * Another host behind the NAT: begins connections at a steady rate, and resets each
 */
import net from 'node:net'
import { resetSocket } from '../../../src/net/reset-socket.ts'
import { emit, handleCommands, readOptions } from '../../child/commands.ts'

export interface NeighbourInit {
  host: string
  port: number

  /**
   * Connections a second
   */
  rate: number
}

/**
 * In ms
 */
const TICK = 5

const { host, port, rate } = readOptions<NeighbourInit>()
const start = performance.now()
const sockets = new Set<net.Socket>()
let begun = 0

function connect (): void {
  const socket = net.connect({ host, port })
  sockets.add(socket)
  socket.once('close', () => { sockets.delete(socket) })
  socket.on('error', () => {})
  socket.on('connect', () => { resetSocket(socket) })
  begun++
}

const timer = setInterval(() => {
  const due = Math.floor((performance.now() - start) / 1_000 * rate)

  // after a pause of the machine, not all at once
  for (let i = Math.min(due - begun, rate / 10); i > 0; i--) {
    connect()
  }

  begun = Math.max(begun, due)
}, TICK)

handleCommands({
  count: () => { emit('count', { begun, seconds: (performance.now() - start) / 1_000 }) }
}, () => {
  clearInterval(timer)
  // some may never be answered
  sockets.forEach(socket => { socket.destroy() })
})

emit('ready')
