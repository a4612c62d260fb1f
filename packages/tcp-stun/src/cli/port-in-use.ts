import { findPortOwner } from '../check/port-owner.ts'
import { askNodeCommand } from './again.ts'
import type { NodeReport } from '../check/ask-node.ts'
import type { PortOwner } from '../check/port-owner.ts'

/**
 * A node of this machine answers at once
 */
const NODE_TIMEOUT = 2_000

/**
 * What the node on a port of this machine announces; `undefined` when it is no node
 */
export async function askNodeOnPort (port: number): Promise<NodeReport | undefined> {
  const [{ multiaddr }, { askNode }] = await Promise.all([
    import('@multiformats/multiaddr'),
    import('../check/ask-node.ts')
  ])
  const signal = AbortSignal.timeout(NODE_TIMEOUT)

  return askNode(multiaddr(`/ip4/127.0.0.1/tcp/${port}`), { signal }).catch(() => undefined)
}

/**
 * What to say of a port that cannot be tested because somebody listens on it
 */
export async function portInUseText (port: number): Promise<string> {
  const owner = await findPortOwner(port)

  if (owner == null) {
    return `port ${port} is in use by connections, although nobody listens on it. After a program has ended that ` +
      `takes up to a minute: try again then. See them: ss -tan 'sport = :${port}'`
  }

  return `port ${port} is in use by ${ownerText(owner, port)}.\n` +
    'If that is your node, ask it while it runs:\n' +
    `   ${askNodeCommand({ port })}\n` +
    'Or stop it, and run this check again. It needs the port for itself.'
}

function ownerText ({ uid, user, process }: PortOwner, port: number): string {
  const of = user == null ? `of the user ${uid}` : `of the user ${user} (${uid})`

  return process == null
    ? `a program ${of}, which this user may not see. It shows by: sudo ss -ltnp 'sport = :${port}'`
    : `the process ${process.id} ${of}: ${process.command === '' ? 'unknown command' : process.command}`
}
