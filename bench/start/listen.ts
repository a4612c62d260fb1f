/**
 * How long `listen()` takes, as one JSON object
 */
import { defaultLogger } from '@libp2p/logger'
import { multiaddr } from '@multiformats/multiaddr'
import { tcpSTUN } from '../../src/index.ts'

const listener = tcpSTUN()({ logger: defaultLogger() }).createListener({ upgrader: {} as any })
const start = performance.now()
await listener.listen(multiaddr('/ip4/0.0.0.0/tcp/0'))
process.stdout.write(`${JSON.stringify({ time: performance.now() - start })}\n`)
await listener.close()
