import { endianness } from 'node:os'
import { toBytes } from '../address/ip.ts'
import type { FileHandle } from 'node:fs/promises'

/**
 * A TCP socket that listens
 */
export interface ListeningSocket {
  /**
   * The IP version of the socket. The address of an IPv6 socket can be IPv4-mapped.
   */
  family: 4 | 6

  /**
   * The local address as 32 hexadecimal digits. An IPv4 address is IPv4-mapped.
   */
  address: string
  port: number

  /**
   * The number of the socket in the kernel's lists
   */
  inode: number
}

/**
 * One that the kernel has listed
 */
export interface ListedSocket extends ListeningSocket {
  /**
   * The id of the user who owns it
   */
  uid: number
}

/**
 * TCP_LISTEN in Linux's tcp_states.h
 */
const LISTEN = '0A'

/**
 * A row has 100 to 200 bytes. The sockets beyond this many bytes are not read.
 */
const MAX_BYTES = 1024 * 1024

/**
 * The kernel returns at most a page for each read
 */
const PAGE = 4096

const IPV4_MAPPED = '00000000000000000000ffff'
const UNSPECIFIED = new Set([`${IPV4_MAPPED}00000000`, '0'.repeat(32)])

/**
 * The sockets of all processes that listen in this network namespace
 *
 * @throws {Error} the system's error: ENOENT where the system is not Linux, EMFILE...
 */
export async function listListeningSockets (): Promise<ListedSocket[]> {
  const ipv4 = await readTable('/proc/net/tcp', 4)
  const ipv6 = await readTable('/proc/net/tcp6', 6).catch(err => {
    // A kernel without IPv6
    if (err.code === 'ENOENT') {
      return []
    }

    throw err
  })

  return [...ipv4, ...ipv6]
}

/**
 * Read a row of the kernel's table, as proc_pid_net(5) describes it
 *
 * @returns `undefined` for the heading, and for a socket that does not listen
 */
export function parseRow (row: string, family: 4 | 6, order = endianness()): ListedSocket | undefined {
  const [, local, , state, , , , uid, , inode] = row.trim().split(/\s+/)

  if (state !== LISTEN) {
    return
  }

  const [address, port] = local.split(':')

  return {
    family,
    address: normalise(address, order),
    port: Number.parseInt(port, 16),
    inode: Number(inode),
    uid: Number(uid)
  }
}

/**
 * The address of a listening socket that Node reports in text form
 */
export function toListeningSocket (host: string, port: number, inode: number): ListeningSocket {
  return { family: host.includes(':') ? 6 : 4, address: Buffer.from(toBytes(host) ?? []).toString('hex'), port, inode }
}

/**
 * Whether the kernel hands connections to the other socket that `own` would get
 * without it. It chooses the socket with the most specific address, then one for
 * IPv4 ahead of an IPv6 socket that also accepts IPv4, and draws among equals.
 */
export function takesFrom (own: ListeningSocket, other: ListeningSocket): boolean {
  if (other.port !== own.port || other.inode === own.inode || isIPv4(other) !== isIPv4(own)) {
    return false
  }

  return other.address === own.address ? other.family === own.family : UNSPECIFIED.has(own.address)
}

/**
 * The listening sockets are ahead of all connections in the table, so stop at the
 * first connection: there can be many thousands.
 */
async function readTable (path: string, family: 4 | 6): Promise<ListedSocket[]> {
  // on demand: it is large
  const { open } = await import('node:fs/promises')
  const file = await open(path)
  const sockets: ListedSocket[] = []
  let isHeading = true

  try {
    for await (const row of rowsOf(file)) {
      const socket = parseRow(row, family)

      if (socket != null) {
        sockets.push(socket)
      } else if (!isHeading) {
        break
      }

      isHeading = false
    }
  } finally {
    await file.close()
  }

  return sockets
}

async function * rowsOf (file: FileHandle): AsyncGenerator<string> {
  const page = Buffer.alloc(PAGE)
  let rest = ''

  for (let total = 0; total < MAX_BYTES;) {
    const { bytesRead } = await file.read(page)

    if (bytesRead === 0) {
      return
    }

    total += bytesRead
    const rows = (rest + page.toString('latin1', 0, bytesRead)).split('\n')
    rest = rows.pop() ?? ''
    yield * rows
  }
}

/**
 * The kernel prints each 32 bits of an address as one number
 */
function normalise (address: string, order: 'BE' | 'LE'): string {
  const words = Buffer.from(address, 'hex')
  const bytes = order === 'LE' ? words.swap32() : words

  return (bytes.length === 4 ? IPV4_MAPPED : '') + bytes.toString('hex')
}

function isIPv4 ({ address }: ListeningSocket): boolean {
  return address.startsWith(IPV4_MAPPED)
}
