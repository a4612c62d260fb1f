import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const LISTEN = fileURLToPath(new URL('listen.js', import.meta.url))

/**
 * A machine that is offline:
 *
 * - `no route`: its network is down
 * - `no DNS server`: the network works, and nobody answers at the port of its DNS server
 */
export type Trouble = 'no route' | 'no DNS server'

const SERVER: Record<Trouble, string> = { 'no route': '10.99.99.99', 'no DNS server': '127.0.0.1' }
const SETUP: Record<Trouble, string> = {
  'no route': 'true',
  'no DNS server': 'ip link add v0 type veth peer name v1 && ip link set v1 up && ip addr add 10.1.0.2/24 dev v0 && ' +
    'ip link set v0 up && ip route add default via 10.1.0.1'
}

/**
 * How long `listen()` takes with the default servers, in ms, in a network namespace of its
 * own
 */
export async function listenOffline (trouble: Trouble): Promise<number> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'libp2p-tcp-stun-'))
  const config = path.join(folder, 'resolv.conf')
  const script = `ip link set lo up && ${SETUP[trouble]} && mount --bind "$1" /etc/resolv.conf && shift && exec "$@"`

  try {
    await writeFile(config, `nameserver ${SERVER[trouble]}\n`)
    const { stdout } = await run('unshare', [
      '--map-root-user', '--net', '--mount', 'sh', '-c', script, 'sh', config, process.execPath, LISTEN
    ], { timeout: 60_000 })

    return JSON.parse(stdout).time
  } finally {
    await rm(folder, { recursive: true })
  }
}
