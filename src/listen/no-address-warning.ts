import { NoSTUNServersError } from '../mapping/errors.ts'
import type { ListenerStatuses, NATStatusEvents } from './listener-statuses.ts'
import type { ListenerStatus } from '../index.ts'

/**
 * For `node --disable-warning`
 */
const CODE = 'TCP_STUN_NO_ADDRESS'

let isWarned = false

/**
 * Where the search fails for all listeners of a transport from the start, say so on the
 * console, once a process: most people never look into the debug log. An address that is
 * lost later is an event of the status.
 */
export function warnWithoutAddress (statuses: ListenerStatuses): void {
  const onStatus = ({ detail }: NATStatusEvents['status']): void => {
    const text = warning(statuses.listeners)

    if (text != null && !isWarned) {
      isWarned = true
      process.emitWarning(text, { code: CODE })
    }

    if (isWarned || 'external' in detail) {
      statuses.removeEventListener('status', onStatus)
    }
  }

  statuses.addEventListener('status', onStatus)
}

/**
 * What to say, nothing while any listener may have an address yet, and where nobody
 * wants one
 */
export function warning (listeners: ListenerStatus[]): string | undefined {
  const failed = listeners.filter(status => status.state === 'lost' || status.state === 'unsupported')

  if (failed.length === 0 || failed.length < listeners.length) {
    return
  }

  const [{ state, reason, failures: [failure] }] = failed

  if (reason instanceof NoSTUNServersError) {
    return
  }

  if (state === 'unsupported') {
    return `libp2p-tcp-stun: this node gets no public TCP address. ${reason.message}. It works like one with ` +
      '@libp2p/tcp: forward a port in the router, or add @libp2p/upnp-nat'
  }

  return 'libp2p-tcp-stun: this node has no public TCP address, because no STUN server can be used' +
    `${failure == null ? '' : `, for example ${failure.server}: ${failure.error.message}`}. The search goes on. ` +
    '`npx tcp-stun check` finds out why, DEBUG=libp2p:tcp-stun* logs the error of each server'
}
