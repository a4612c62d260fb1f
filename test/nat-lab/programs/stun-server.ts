/**
 * Our STUN server, which reports its clients. With options it misbehaves: it hangs up
 * after each reply or some time after it accepted a connection, or lies.
 */
import { createSTUNServer } from '../../../src/server/index.ts'
import { emit, handleCommands, readOptions } from '../../child/commands.ts'
import { answer, fakeServer, mapped } from '../../fixtures/stun-servers.ts'
import type { Endpoint } from '../../../src/address/endpoint.ts'

export interface STUNServerInit {
  host: string

  /**
   * @default 3478
   */
  port?: number

  /**
   * Hang up after each reply, or this many ms after a connection was accepted
   */
  hangUp?: 'after-reply' | number

  /**
   * Report this address to every client. With null, only after the command `lie`.
   */
  lie?: Endpoint | null
}

const { host, port = 3478, hangUp, ...init } = readOptions<STUNServerInit>()
let ended = 0
let lie = init.lie

if (hangUp == null && lie === undefined) {
  const server = createSTUNServer({ listen: [{ host, port }] })

  server.addEventListener('binding', ({ detail }) => { emit('binding', detail) })
  await server.listen()
  emit('listening', { addresses: server.addresses })
  handleCommands({ counters: () => { emit('counters', server.counters) } }, async () => server.close())
} else {
  const server = await fakeServer(socket => {
    const { remoteAddress, remotePort } = socket

    // reset before it was accepted
    if (remoteAddress == null || remotePort == null) {
      return
    }

    const client = { host: remoteAddress, port: remotePort }
    const end = (): void => {
      if (!socket.destroyed) {
        ended++
        socket.resetAndDestroy()
      }
    }

    if (typeof hangUp === 'number') {
      const timer = setTimeout(end, hangUp)
      socket.once('close', () => { clearTimeout(timer) })
    }

    answer(socket, () => {
      emit('binding', { client })

      if (hangUp === 'after-reply') {
        setImmediate(end)
      }

      return mapped(lie?.host ?? client.host, lie?.port ?? client.port)
    })
  }, host, port)

  emit('listening', { addresses: [{ host, port }] })
  handleCommands({
    counters: () => { emit('counters', { connectionsAccepted: server.accepted, ended }) },
    lie: args => {
      lie = args.lie
      emit('lie')
    }
  }, async () => server.close())
}
