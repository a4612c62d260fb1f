/**
 * Partners of a punch that follow a script, on either side. Each is a peer of its own.
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
import { HolePunch } from '../../../src/dcutr/message.ts'
import { DCUTR_PROTOCOL } from '../../../src/punch/role.ts'
import { emit, handleCommands } from '../../child/commands.ts'
import { serveEcho } from './echo.ts'
import type { Connection, Libp2p, Stream } from '@libp2p/interface'

/**
 * - a message of a hard punch is sent, or these bytes, with their length before them
 * - `receive`: wait for one
 * - `again`: open another stream beside this one, and go on with it
 * - `rubbish`: bytes that are no message
 * - `reset`, `close`: end the stream
 * - `hang-up`: end the relayed connection
 * - `silent`: until the other side ends the stream
 * - `end`: the same, and go on
 */
export type Step = HardPunchMessage | { hex: string } |
  'receive' | 'again' | 'rubbish' | 'reset' | 'close' | 'hang-up' | 'silent' | 'end'

export interface Script {
  /**
   * For its events
   */
  name?: string

  /**
   * By this relayed address
   */
  address: string

  /**
   * The hard side of a hard punch opens the stream. An ordinary one may be asked for by
   * both.
   */
  side: 'hard' | 'easy' | 'asks' | 'is asked'
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

async function run ({ name, address, side, steps, announce = [] }: Script): Promise<void> {
  const node = await createLibp2p({
    addresses: { announce },
    transports: [tcp(), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify() }
  })
  nodes.push(node)
  await serveEcho(node)
  const protocol = side === 'hard' || side === 'easy' ? HARD_PUNCH_PROTOCOL : DCUTR_PROTOCOL

  const follow = async (stream: Stream, connection: Connection): Promise<void> => {
    const open = async (): Promise<Stream> => connection.newStream(protocol, { runOnLimitedConnection: true })
    const received = await play(node, stream, steps, open)
    emit('played', { name, received })
  }

  // an ordinary punch is under way as long as its partner is silent
  await node.handle(DCUTR_PROTOCOL, side === 'is asked' ? follow : () => {}, { runOnLimitedConnection: true })

  if (side === 'easy') {
    await node.handle(HARD_PUNCH_PROTOCOL, follow, { runOnLimitedConnection: true })
  }

  const connection = await node.dial(multiaddr(address), { signal: AbortSignal.timeout(20_000) })

  if (side === 'hard' || side === 'asks') {
    const { promise, resolve } = Promise.withResolvers<void>()
    waiting.push(resolve)
    emit('connected', { name, id: node.peerId.toString() })
    await promise
    await follow(await connection.newStream(protocol, { runOnLimitedConnection: true }), connection)
  } else if (side === 'is asked') {
    emit('connected', { name, id: node.peerId.toString() })
  }
}

/**
 * @returns the messages of the other side
 */
async function play (
  node: Libp2p,
  stream: Stream,
  steps: Step[],
  open: () => Promise<Stream>
): Promise<unknown[]> {
  const decode = stream.protocol === HARD_PUNCH_PROTOCOL ? HardPunchMessage.decode : HolePunch.decode
  const received: unknown[] = []
  let messages = lpStream(stream)
  const receive = async (): Promise<void> => {
    received.push(decode(await messages.read({ signal: AbortSignal.timeout(10_000) })))
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
        case 'end': await untilEnd(receive); break
        case 'again': messages = lpStream(stream = await open()); break
        default: await messages.write('hex' in step ? Buffer.from(step.hex, 'hex') : HardPunchMessage.encode(step))
      }
    }
  } catch {
    // the other side has ended the stream
  }

  return received
}

async function untilEnd (receive: () => Promise<void>): Promise<void> {
  try {
    while (true) { await receive() }
  } catch {
    // it has ended
  }
}

handleCommands({
  play: async (script: any) => run(script),
  go: () => { waiting.splice(0).forEach(resolve => { resolve() }) }
}, async () => { await Promise.all(nodes.map(async node => node.stop())) })

emit('ready')
