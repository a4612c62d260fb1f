/**
 * Partners of a hard punch that follow a script, on either side. Each is a peer of its own.
 */
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { lpStream } from '@libp2p/utils'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { HardPunchMessage } from '../../../src/dcutr/hard/message.ts'
import { HARD_PUNCH_PROTOCOL } from '../../../src/dcutr/hard/protocol.ts'
import { DCUTR_PROTOCOL } from '../../../src/punch/role.ts'
import { emit, handleCommands } from '../../child/commands.ts'
import type { Libp2p, Stream } from '@libp2p/interface'

/**
 * - a message is sent
 * - `receive`: wait for one
 * - `rubbish`: bytes that are no message
 * - `reset`, `close`: end the stream
 * - `hang-up`: end the relayed connection
 * - `silent`: until the other side ends the stream
 */
export type Step = HardPunchMessage | 'receive' | 'rubbish' | 'reset' | 'close' | 'hang-up' | 'silent'

export interface Script {
  /**
   * By this relayed address
   */
  address: string
  side: 'hard' | 'easy'
  steps: Step[]

  /**
   * The addresses that it announces
   */
  announce?: string[]
}

const nodes: Libp2p[] = []

/**
 * Those that wait for the command `go`
 */
const waiting: Array<() => void> = []

async function run ({ address, side, steps, announce = [] }: Script): Promise<void> {
  const node = await createLibp2p({
    addresses: { announce },
    transports: [tcp(), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify() }
  })
  nodes.push(node)
  // an ordinary punch is under way as long as its partner is silent
  await node.handle(DCUTR_PROTOCOL, () => {}, { runOnLimitedConnection: true })

  const follow = async (stream: Stream): Promise<void> => {
    const received = await play(node, stream, steps)
    emit('played', { received })
  }

  if (side === 'easy') {
    await node.handle(HARD_PUNCH_PROTOCOL, follow, { runOnLimitedConnection: true })
  }

  const connection = await node.dial(multiaddr(address), { signal: AbortSignal.timeout(20_000) })

  if (side === 'hard') {
    const { promise, resolve } = Promise.withResolvers<void>()
    waiting.push(resolve)
    emit('connected', { id: node.peerId.toString() })
    await promise
    await follow(await connection.newStream(HARD_PUNCH_PROTOCOL, { runOnLimitedConnection: true }))
  }
}

/**
 * @returns the messages of the other side
 */
async function play (node: Libp2p, stream: Stream, steps: Step[]): Promise<HardPunchMessage[]> {
  const messages = lpStream(stream)
  const received: HardPunchMessage[] = []
  const receive = async (): Promise<void> => {
    received.push(HardPunchMessage.decode(await messages.read({ signal: AbortSignal.timeout(10_000) })))
  }

  try {
    for (const step of steps) {
      switch (step) {
        case 'receive': await receive(); break
        case 'rubbish': stream.send(Uint8Array.from([4, 0xff, 0xff, 0xff, 0xff])); break
        case 'reset': stream.abort(new Error('reset')); break
        case 'close': await stream.close(); break
        case 'hang-up': await node.stop(); break
        case 'silent': while (true) { await receive() }
        default: await messages.write(HardPunchMessage.encode(step))
      }
    }
  } catch {
    // the other side has ended the stream
  }

  return received
}

handleCommands({
  play: async (script: any) => run(script),
  go: () => { waiting.splice(0).forEach(resolve => { resolve() }) }
}, async () => { await Promise.all(nodes.map(async node => node.stop())) })

emit('ready')
