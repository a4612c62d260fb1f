/* eslint-disable no-console -- it talks to whoever runs it */
/**
 * A stock Helia node that dials another one and fetches a file from it
 */
import { parseArgs } from 'node:util'
import { unixfs } from '@helia/unixfs'
import { multiaddr } from '@multiformats/multiaddr'
import { createHelia } from 'helia'
import { CID } from 'multiformats/cid'

const { positionals: [address, cid] } = parseArgs({ allowPositionals: true })
const helia = await createHelia().start()
const connection = await helia.libp2p.dial(multiaddr(address))
let bytes = 0

for await (const chunk of unixfs(helia).cat(CID.parse(cid), { signal: AbortSignal.timeout(30_000) })) {
  bytes += chunk.byteLength
}

console.info(`fetched ${bytes} bytes from ${connection.remoteAddr}`)
await helia.stop()
