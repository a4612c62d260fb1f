import { TimeoutError } from '@libp2p/interface'
import { raceSignal } from 'race-signal'
import type { AbortOptions } from '@libp2p/interface'
import type { LookupAddress } from 'node:dns'
import type { LookupFunction, Socket } from 'node:net'

/**
 * Wait until a socket is connected. The socket stays as it is when this fails: the
 * caller ends it or keeps it.
 *
 * @throws {AbortError} the signal was aborted
 * @throws {TimeoutError} the socket was idle for too long
 * @throws the system's error
 */
export async function untilConnected (socket: Socket, { signal }: AbortOptions): Promise<void> {
  const start = performance.now()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const onTimeout = (): void => {
    reject(new TimeoutError(`Connection timeout after ${Math.round(performance.now() - start)}ms`))
  }
  socket.once('error', reject)
  socket.once('connect', resolve)
  socket.once('timeout', onTimeout)

  if (!socket.connecting && !socket.destroyed) {
    resolve()
  }

  try {
    await raceSignal(promise, signal)
  } finally {
    socket.off('connect', resolve)
    socket.off('timeout', onTimeout)
    // a socket that is given up may still fail
    socket.on('error', () => {})
    socket.off('error', reject)
  }
}

/**
 * A `lookup` for `net.connect` that knows the addresses, so that Node still tries one
 * after the other
 */
export function knownAddresses (addresses: LookupAddress[]): LookupFunction {
  return (_, { all }, callback) => {
    if (all === true) {
      callback(null, addresses)
    } else {
      callback(null, addresses[0].address, addresses[0].family)
    }
  }
}
