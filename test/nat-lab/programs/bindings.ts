/**
 * Asks STUN servers in turn, each time from a fresh port, and reports the external ports
 */
import { STUNClient } from '../../../src/stun/index.ts'
import { emit, handleCommands, readOptions } from '../../child/commands.ts'
import type { PortSample } from '../../../src/mapping/index.ts'

const { servers } = readOptions<{ servers: string[] }>()

async function bind (i: number): Promise<PortSample> {
  const client = new STUNClient({ server: { host: servers[i % servers.length], port: 3_478 } })
  const at = performance.now()
  await client.connect()

  try {
    const { local, mapped } = await client.request()

    return { localPort: local.port, externalHost: mapped.host, externalPort: mapped.port, at }
  } finally {
    client.close()
  }
}

handleCommands({
  bind: async ({ count }) => {
    const samples: PortSample[] = []

    for (let i = 0; i < count; i++) {
      samples.push(await bind(i))
    }

    emit('bound', { samples })
  }
}, () => {})

emit('ready')
