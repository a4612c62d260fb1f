import { readFile, readdir, readlink } from 'node:fs/promises'
import { listListeningSockets } from 'libp2p-tcp-stun/net'

/**
 * A program that listens on a port
 */
export interface PortOwner {
  /**
   * The id of its user
   */
  uid: number

  /**
   * The name of that user, where this machine's list has it
   */
  user?: string

  /**
   * The process, where this user may see it
   */
  process?: { id: number, command: string }
}

/**
 * A command line may have megabytes
 */
const MAX_COMMAND = 200

/**
 * Find out which program listens on a TCP port, as far as this user may know it.
 * Linux only.
 *
 * @returns `undefined` when nobody does: the port may be in use by connections
 */
export async function findPortOwner (port: number): Promise<PortOwner | undefined> {
  const socket = (await listListeningSockets().catch(() => [])).find(socket => socket.port === port)

  if (socket == null) {
    return
  }

  const [user, id] = await Promise.all([nameOf(socket.uid), processWith(`socket:[${socket.inode}]`)])

  return {
    uid: socket.uid,
    user,
    process: id == null ? undefined : { id, command: await commandOf(id) }
  }
}

/**
 * The process that has a file open, of those whose files this user may see
 */
async function processWith (file: string): Promise<number | undefined> {
  const ids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))

  for (const id of ids) {
    const descriptors = await readdir(`/proc/${id}/fd`).catch(() => [])

    for (const descriptor of descriptors) {
      if (await readlink(`/proc/${id}/fd/${descriptor}`).catch(() => '') === file) {
        return Number(id)
      }
    }
  }
}

async function commandOf (id: number): Promise<string> {
  const text = await readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')
  // eslint-disable-next-line no-control-regex
  const command = text.replace(/[\x00-\x1f\x7f]+/g, ' ').trim()

  return command.length > MAX_COMMAND ? `${command.slice(0, MAX_COMMAND)} ...` : command
}

async function nameOf (uid: number): Promise<string | undefined> {
  const users = await readFile('/etc/passwd', 'utf8').catch(() => '')

  return users.split('\n').map(line => line.split(':')).find(([, , id]) => id === `${uid}`)?.[0]
}
