import { STUNClient } from '../../src/stun/client.ts'

/**
 * Somebody comes to a STUN server of this machine, asks, and leaves
 */
export async function askSTUN (port: number): Promise<void> {
  const client = new STUNClient({ server: { host: '127.0.0.1', port } })
  await client.connect()
  await client.request()
  client.close()
}
