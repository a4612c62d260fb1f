import dgram from 'node:dgram'

/**
 * A home router and a carrier NAT are 1 and 2 to 4 hops away mostly. Linux refuses 6
 * packets of one host in a row, and one a second after that.
 */
const MAX_HOPS = 4

/**
 * Where traceroute begins: nobody listens there
 */
const PORT = 33_434

/**
 * How many hops away our own external address is. A UDP packet that may travel that
 * far is refused by the router that has the address (ICMP port unreachable). One
 * that may not is dropped on its way, and that cannot be seen without privileges.
 *
 * 1: this machine's router has the address. More: a router behind it has.
 *
 * @returns `undefined` when nothing was refused within `timeout` ms: many routers are
 * silent
 */
export async function hopDistance (host: string, timeout: number, signal: AbortSignal): Promise<number | undefined> {
  const refused: number[] = []
  const done = AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(timeout))])

  await Promise.all(Array.from({ length: MAX_HOPS }, async (_, i) => {
    if (await isRefused(host, i + 1, done)) {
      refused.push(i + 1)
    }
  }))

  return refused.length === 0 ? undefined : Math.min(...refused)
}

async function isRefused (host: string, hops: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) {
    return false
  }

  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = dgram.createSocket('udp4')
  // what has arrived counts, although this process was too busy to see it in time
  const giveUp = (): void => { setImmediate(() => { resolve(false) }) }
  signal.addEventListener('abort', giveUp)
  socket.on('error', (err: NodeJS.ErrnoException) => { resolve(err.code === 'ECONNREFUSED') })
  socket.connect(PORT + hops, host, () => {
    try {
      socket.setTTL(hops)
      socket.send(Uint8Array.of(0), () => {})
    } catch {
      giveUp()
    }
  })

  try {
    return await promise
  } finally {
    signal.removeEventListener('abort', giveUp)
    socket.close()
  }
}
