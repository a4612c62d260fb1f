import { anySignal } from 'any-signal'
import { pEvent } from 'p-event'
import { assertPortFree, bindSocket } from '../net/bound-socket.ts'
import { portSharing } from '../net/port-sharing.ts'
import { resolveHost } from '../runtime/dns.ts'
import type { NetConfig } from '../multiaddr/net-config.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { Server } from 'node:net'

export interface ListenOptions extends Required<AbortOptions> {
  /**
   * Length of the system's queue of connections that are not accepted yet
   */
  backlog?: number
}

/**
 * Let a server listen on a port that can be shared. Afterwards the server either
 * listens or is closed.
 *
 * @throws {AbortError} the signal was aborted
 * @throws the system's error: EADDRINUSE also when the other listener shares its port
 */
export async function listen (server: Server, config: NetConfig, { signal, backlog }: ListenOptions): Promise<void> {
  if (config.type === 'unix') {
    return untilListening(server, () => { server.listen({ path: config.path, backlog }) }, signal)
  }

  const [{ address: host, family }] = await resolveHost(config.host, config.family ?? 0, { signal })
  signal.throwIfAborted()
  const bind = { host, port: config.port, ipv6Only: family === 6 }

  await untilListening(server, () => {
    if (portSharing(bind) === 'unsupported') {
      server.listen({ ...bind, backlog })
    } else {
      assertPortFree(bind)
      bindSocket(bind).listen(server, { backlog })
    }
  }, signal)
}

/**
 * The event comes in a later tick, and never when the server is closed meanwhile
 */
async function untilListening (server: Server, begin: () => void, signal: AbortSignal): Promise<void> {
  // pEvent would keep a listener on the signal for as long as the signal lives
  const wait = anySignal([signal])
  const listening = pEvent(server, 'listening', { signal: wait })

  try {
    begin()
    await listening
  } catch (err) {
    // nothing waits for it any more, also when the signal is aborted later
    listening.catch(() => {})
    listening.cancel()
    server.close()
    throw err
  } finally {
    wait.clear()
  }
}
