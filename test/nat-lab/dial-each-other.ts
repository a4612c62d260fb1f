import type { Program } from './index.ts'

const BYTES = 10_000

/**
 * A peer of any language that has started, with the address to dial it at
 */
export interface StartedPeer {
  program: Program
  id: string

  /**
   * Without the peer id
   */
  address: string
}

/**
 * Two peers dial each other at the same moment and ping each other. Then the first one,
 * which is a js peer, has data echoed.
 *
 * @returns why dials have failed
 */
export async function dialEachOther (a: StartedPeer, b: StartedPeer): Promise<string[]> {
  const dials = await Promise.allSettled([dial(a, b), dial(b, a)])
  const echo = await Promise.allSettled([echoTo(a, b)])

  return [...dials, ...echo].flatMap(result =>
    result.status === 'rejected' ? [String(result.reason.message).slice(0, 300)] : [])
}

async function dial ({ program }: StartedPeer, { id, address }: StartedPeer): Promise<void> {
  await program.ask('dial', { address: `${address}/p2p/${id}` }, 'dialled')
  const ping = async (): Promise<unknown> => program.ask('ping', { address: `/p2p/${id}` }, 'pong')

  // js-libp2p resets the second of two connections to one address ("Duplicate multiaddr
  // connection"), which may be the one that the first ping has taken
  await ping().catch(ping)
}

async function echoTo ({ program }: StartedPeer, { id }: StartedPeer): Promise<void> {
  const echoed = await program.ask('echo', { address: `/p2p/${id}`, bytes: BYTES }, 'echoed')

  if (echoed.equal !== true) {
    throw new Error(`The connection did not carry all data: ${JSON.stringify(echoed)}`)
  }
}
