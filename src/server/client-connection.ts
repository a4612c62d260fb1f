import { resetSocket } from '../net/reset-socket.ts'
import { MessageDecoder } from '../stun/decoder.ts'
import { decodeMessage } from '../stun/message.ts'
import { RateLimit } from './limits.ts'
import { respond } from './response.ts'
import type { Limits } from './limits.ts'
import type { Origin, Reaction } from './response.ts'
import type { Socket } from 'node:net'

/**
 * Why a connection was reset from this side
 */
export type ResetReason = 'not-stun' | 'message-timeout' | 'rate' | 'not-reading'

export interface ClientConnectionInit {
  socket: Socket
  origin: Origin
  limits: Limits
  onReaction(reaction: Reaction): void
  onReset(reason: ResetReason, err?: Error): void
}

/**
 * Answer the requests of one client until it closes. Nothing is kept for it but
 * the bytes of a started message.
 */
export function serveClient (init: ClientConnectionInit): void {
  const { socket, origin, limits } = init
  const decoder = new MessageDecoder(limits)
  const rate = new RateLimit(limits.maxRequestsPerSecond, Date.now())
  let messageTimer: NodeJS.Timeout | undefined

  const reset = (reason: ResetReason, err?: Error): void => {
    if (!socket.destroyed) {
      resetSocket(socket)
      init.onReset(reason, err)
    }
  }

  socket.on('data', chunk => {
    // answers to requests that came together leave together
    socket.cork()

    try {
      for (const bytes of decoder.decode(chunk)) {
        if (!rate.take(Date.now())) {
          reset('rate')
          return
        }

        const reaction = respond(decodeMessage(bytes), bytes, origin)
        init.onReaction(reaction)

        if (reaction.type === 'answer') {
          socket.write(reaction.bytes)
        }
      }
    } catch (err: any) {
      reset('not-stun', err)
      return
    } finally {
      socket.uncork()
    }

    clearTimeout(messageTimer)
    messageTimer = undefined

    // a client that asks and never reads must not fill our memory
    if (socket.writableNeedDrain) {
      socket.pause()
      messageTimer = setTimeout(() => { reset('not-reading') }, limits.messageTimeout)
    } else if (decoder.bufferedLength > 0) {
      messageTimer = setTimeout(() => { reset('message-timeout') }, limits.messageTimeout)
    }
  })

  socket.on('drain', () => {
    clearTimeout(messageTimer)
    socket.resume()
  })

  // the client has sent all it will: half-open, so that its answers still go out
  socket.on('end', () => { socket.end() })
  socket.on('error', () => {})
  socket.once('close', () => { clearTimeout(messageTimer) })
}
