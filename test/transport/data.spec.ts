import { randomBytes, randomInt } from 'node:crypto'
import { noise } from '@libp2p/noise'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { createLibp2p } from 'libp2p'
import { pEvent } from 'p-event'
import { Uint8ArrayList } from 'uint8arraylist'
import { tcpSTUN } from '../../src/index.ts'
import { components, plainUpgrader } from '../fixtures/components.ts'
import type { MessageStream, MultiaddrConnection, Stream } from '@libp2p/interface'

const KIBIBYTE = 1_024
const MEBIBYTE = 1_024 * KIBIBYTE
const PROTOCOL = '/data/1.0.0'

/**
 * Longer than the default timeouts of libp2p, for busy machines, in ms
 */
const TIMEOUT = 60_000

/**
 * The two ends of a connection, or of a stream
 */
interface Ends<T extends MessageStream = MessageStream> {
  local: T
  remote: T
}

interface Network<T extends MessageStream> {
  open(): Promise<Ends<T>>
  close(): Promise<void>
}

/**
 * The data cases of js-libp2p's transport compliance suite, with random bytes:
 * equal bytes cannot show that something came in the wrong order
 */
for (const [family, listen] of [['IPv4', '/ip4/127.0.0.1/tcp/0'], ['IPv6', '/ip6/::1/tcp/0']]) {
  describe(`data over ${family}`, function () {
    this.timeout(120_000)

    describe('bare connections', () => {
      const open = useNetwork(async () => bareConnections(listen))

      deliversData(open)
    })

    describe('streams over noise and yamux', () => {
      const open = useNetwork(async () => muxedStreams(listen))

      deliversData(open)

      it('delivers 10 MiB to an end that is closed for writing', async () => {
        const { local, remote } = await open()
        const data = randomBytes(10 * MEBIBYTE)
        await local.close({ signal: AbortSignal.timeout(TIMEOUT) })
        const [received] = await Promise.all([readAll(local), sendAndClose(remote, slices(data, KIBIBYTE))])

        expectEqual(received, data)
      })
    })
  })
}

function deliversData (open: () => Promise<Ends>): void {
  for (const { title, size } of [
    { title: 'one small write', size: KIBIBYTE },
    { title: 'one big write', size: 10 * MEBIBYTE }
  ]) {
    it(`echoes ${title}`, async () => {
      const { local, remote } = await open()
      void echo(remote, size)
      const data = randomBytes(size)
      const [received] = await Promise.all([read(local, size), send(local, [data])])

      expectEqual(received, data)
    })
  }

  it('echoes 2000 small writes, one after the other', async () => {
    const { local, remote } = await open()
    void echo(remote, 2_000 * KIBIBYTE)

    for (let i = 0; i < 2_000; i++) {
      const data = randomBytes(KIBIBYTE)
      const [received] = await Promise.all([read(local, KIBIBYTE), send(local, [data])])

      expectEqual(received, data)
    }
  })

  it('keeps the order of writes of all sizes, whole and in pieces', async () => {
    const { local, remote } = await open()
    const writes = Array.from({ length: 1_000 }, () => randomBytes(randomInt(1, 32 * KIBIBYTE)))
    const data = Buffer.concat(writes)
    const [received] = await Promise.all([
      read(remote, data.byteLength),
      send(
        local,
        writes.map((write, i) =>
          i % 2 === 0 ? write : new Uint8ArrayList(...slices(write, randomInt(1, 8 * KIBIBYTE)))
        )
      )
    ])

    expectEqual(received, data)
  })

  it('carries 5 MiB in both directions at once', async () => {
    const { local, remote } = await open()
    const [there, back] = [randomBytes(5 * MEBIBYTE), randomBytes(5 * MEBIBYTE)]
    const [atRemote, atLocal] = await Promise.all([
      read(remote, there.byteLength),
      read(local, back.byteLength),
      send(local, slices(there, 10 * KIBIBYTE)),
      send(remote, slices(back, 10 * KIBIBYTE))
    ])

    expectEqual(atRemote, there)
    expectEqual(atLocal, back)
  })

  it('delivers everything that is sent before a close', async () => {
    const { local, remote } = await open()
    const data = randomBytes(MEBIBYTE)
    const [received] = await Promise.all([readAll(remote), sendAndClose(local, slices(data, 700))])

    expectEqual(received, data)
  })
}

function useNetwork<T extends MessageStream> (create: () => Promise<Network<T>>): () => Promise<Ends<T>> {
  let network: Network<T>

  beforeEach(async () => { network = await create() })
  afterEach(async () => network.close())

  return async () => network.open()
}

async function bareConnections (listen: string): Promise<Network<MultiaddrConnection>> {
  const upgrader = plainUpgrader()
  const transport = tcpSTUN()(components())
  const inbound = Promise.withResolvers<MultiaddrConnection>()
  const listener = transport.createListener({
    upgrader: plainUpgrader({
      upgradeInbound: async maConn => { inbound.resolve(maConn) }
    })
  })
  await listener.listen(multiaddr(listen))

  return {
    open: async () => {
      await transport.dial(listener.getAddrs()[0], { upgrader, signal: AbortSignal.timeout(TIMEOUT) })

      return { local: upgrader.outbound[0], remote: await inbound.promise }
    },
    close: async () => {
      upgrader.outbound[0]?.abort(new Error('The test is over'))
      await listener.close()
    }
  }
}

async function muxedStreams (listen: string): Promise<Network<Stream>> {
  const [dialer, listener] = await Promise.all([[], [listen]].map(async listen => createLibp2p({
    addresses: { listen },
    transports: [tcpSTUN()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()]
  })))
  const inbound = Promise.withResolvers<Stream>()
  await listener.handle(PROTOCOL, stream => { inbound.resolve(stream) })

  return {
    open: async () => ({
      local: await dialer.dialProtocol(listener.getMultiaddrs(), PROTOCOL, { signal: AbortSignal.timeout(TIMEOUT) }),
      remote: await inbound.promise
    }),
    close: async () => { await Promise.all([dialer.stop(), listener.stop()]) }
  }
}

function slices (data: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(data.byteLength / size) }, (_, i) => data.subarray(i * size, (i + 1) * size))
}

async function send (stream: MessageStream, chunks: Array<Uint8Array | Uint8ArrayList>): Promise<void> {
  for (const chunk of chunks) {
    if (!stream.send(chunk)) {
      await pEvent(stream, 'drain', { rejectionEvents: ['close'] })
    }
  }
}

async function sendAndClose (stream: MessageStream, chunks: Uint8Array[]): Promise<void> {
  await send(stream, chunks)
  await stream.close({ signal: AbortSignal.timeout(TIMEOUT) })
}

/**
 * Send everything back, up to so many bytes
 */
async function echo (stream: MessageStream, length: number): Promise<void> {
  for await (const chunk of stream) {
    await send(stream, [chunk])
    length -= chunk.byteLength

    if (length === 0) {
      return
    }
  }
}

/**
 * The next so many bytes
 */
async function read (stream: MessageStream, length: number): Promise<Uint8Array> {
  const received = new Uint8ArrayList()

  await new Promise<void>((resolve, reject) => {
    stream.addEventListener('message', onMessage)
    stream.addEventListener('close', onClose)

    function onMessage ({ data }: { data: Uint8Array | Uint8ArrayList }): void {
      received.append(data)

      if (received.byteLength >= length) {
        stream.removeEventListener('message', onMessage)
        stream.removeEventListener('close', onClose)
        resolve()
      }
    }

    function onClose (): void {
      reject(new Error(`Closed after ${received.byteLength} of ${length} bytes`))
    }
  })

  return received.subarray()
}

async function readAll (stream: MessageStream): Promise<Uint8Array> {
  const received = new Uint8ArrayList()

  for await (const chunk of stream) {
    received.append(chunk)
  }

  return received.subarray()
}

function expectEqual (received: Uint8Array, sent: Uint8Array): void {
  const difference = received.findIndex((byte, i) => byte !== sent[i])

  expect(difference, `byte ${difference} of ${sent.byteLength} differs`).to.equal(-1)
  expect(received.byteLength).to.equal(sent.byteLength)
}
