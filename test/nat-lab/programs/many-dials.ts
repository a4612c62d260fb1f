/**
 * Our transport without libp2p: dials many ports of one host at once until they time
 * out
 */
import { defaultLogger } from '@libp2p/logger'
import { multiaddr } from '@multiformats/multiaddr'
import { tcpSTUN } from '../../../src/index.ts'
import { emit, handleCommands, readOptions } from '../../child/commands.ts'
import type { TCPSTUNInit } from '../../../src/index.ts'

const { host, count, ...options } = readOptions<TCPSTUNInit & { host: string, count: number }>()
const upgrader: any = {}
const transport = tcpSTUN({ stunServers: [], mappingTimeout: 0, ...options })({ logger: defaultLogger() })
const listener = transport.createListener({ upgrader })
await listener.listen(multiaddr('/ip4/0.0.0.0/tcp/4001'))

const dials = await Promise.allSettled(Array.from({ length: count }, async (_, i) => {
  return transport.dial(multiaddr(`/ip4/${host}/tcp/${i + 1}`), { upgrader, signal: AbortSignal.timeout(1_000) })
}))

emit('given-up', { failed: dials.filter(({ status }) => status === 'rejected').length })
handleCommands({}, async () => listener.close())
