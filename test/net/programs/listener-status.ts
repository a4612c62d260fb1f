/**
 * Listens beside a STUN server of its own and prints its status as JSON. With the
 * argument `exhausted` it first tries without a free file descriptor.
 */
import { closeSync, openSync } from 'node:fs'
import { multiaddr } from '@multiformats/multiaddr'
import { tcpSTUN } from '../../../src/index.ts'
import { portSharing } from '../../../src/net/port-sharing.ts'
import { components, plainUpgrader } from '../../fixtures/components.ts'
import { mapsTo } from '../../fixtures/stun-servers.ts'
import type { MappingStatus } from '../../../src/mapping/index.ts'

export interface ListenerStatus {
  /**
   * The codes of the errors without a free file descriptor: of the probe, of the
   * probe with one free, of `listen()`
   */
  errors: string[]
  sharing: string
  state?: string
}

const [, , mode] = process.argv
const ADDRESS = multiaddr('/ip4/127.0.0.1/tcp/0')

function openAll (): number[] {
  const files: number[] = []

  try {
    while (true) {
      files.push(openSync('/dev/null', 'r'))
    }
  } catch {
    return files
  }
}

function codeOf (call: () => unknown): string {
  try {
    return `no error but ${call()}`
  } catch (err: any) {
    return err.code
  }
}

const server = await mapsTo('11.0.0.1', 4001)
const statuses: MappingStatus[] = []
const errors: string[] = []
const transport = tcpSTUN({
  stunServers: [server.uri],
  mappingTimeout: 5_000,
  onMappingChange: status => { statuses.push(status) }
})
const listener = transport(components()).createListener({ upgrader: plainUpgrader() })

if (mode === 'exhausted') {
  const files = openAll()
  errors.push(codeOf(portSharing))
  closeSync(files.pop() ?? -1)
  errors.push(codeOf(portSharing))
  files.push(...openAll())
  errors.push(await listener.listen(ADDRESS).then(() => 'no error', err => err.code))
  files.forEach(closeSync)
}

await listener.listen(ADDRESS)
const status: ListenerStatus = { errors, sharing: portSharing(), state: statuses.at(-1)?.state }
process.stdout.write(JSON.stringify(status))
await listener.close()
await server.close()
