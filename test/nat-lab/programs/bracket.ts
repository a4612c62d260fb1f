/**
 * Learns how the NAT chooses ports, begins connections between two Bindings, and reports
 * which ports they may have and which they have
 */
import net from 'node:net'
import { predictPorts } from '../../../src/dcutr/hard/port-prediction.ts'
import { bracketedPorts } from '../../../src/dcutr/hard/sequential.ts'
import { PublicMapping } from '../../../src/mapping/index.ts'
import { bindSocket } from '../../../src/net/bound-socket.ts'
import { STUNClient } from '../../../src/stun/index.ts'
import { emit, handleCommands, readOptions } from '../../child/commands.ts'
import { waitUntil } from '../../fixtures/wait-until.ts'
import type { PortSample } from '../../../src/mapping/index.ts'

export interface BracketInit {
  stunServers: string[]

  /**
   * Another STUN server, in the place of the remote peer
   */
  peer: string
}

const { stunServers, peer } = readOptions<BracketInit>()
const listener = net.createServer()
bindSocket({ host: '0.0.0.0', port: 4_001 }).listen(listener)
const mapping = new PublicMapping({
  listener: { port: 4001 },
  stunServers,
  minReconnectInterval: 0
})
await mapping.start()

async function portOfConnection (): Promise<number> {
  const client = new STUNClient({ server: { host: peer, port: 3_478 } })
  await client.connect()
  const { mapped } = await client.request()
  client.close()

  return mapped.port
}

handleCommands({
  bracket: async ({ connects, limit }) => {
    await waitUntil('every server has answered', () => mapping.samples.length >= stunServers.length)
    const prediction = predictPorts(mapping.samples)
    const begun = Promise.withResolvers<[Promise<number[]>, Promise<PortSample>]>()
    const before = await mapping.bindOnce({
      onConnect: () => {
        const ours = Promise.all(Array.from({ length: connects }, portOfConnection))
        begun.resolve([ours, mapping.bindOnce()])
      }
    })
    const [ours, after] = await begun.promise
    const step = prediction.type === 'sequential' ? prediction.step : undefined

    emit('bracketed', {
      prediction,
      ours: await ours,
      ports: bracketedPorts(before, await after, { step, connects, limit })
    })
  }
}, async () => {
  listener.close()
  await mapping.stop()
})

emit('ready')
