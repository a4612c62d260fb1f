import { expect } from 'aegir/chai'
import { fromString } from 'uint8arrays'
import { createSTUNServer } from '../../src/server/index.ts'
import { checkFingerprint } from '../../src/stun/fingerprint.ts'
import { getAttribute } from '../../src/stun/message.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { rawClient, request } from '../fixtures/raw-client.ts'
import type { STUNServer } from '../../src/server/index.ts'
import type { RawClient } from '../fixtures/raw-client.ts'

/**
 * What a client sends, and what the server does: a response of this kind, none, or
 * a reset. These are the rows of the table in docs/server.md.
 */
interface EdgeCase {
  title: string
  bytes: Uint8Array
  expected: 'success' | 400 | 420 | 'no response' | 'reset'

  /**
   * The UNKNOWN-ATTRIBUTES of a 420 response
   */
  unknown?: number[]
}

const hex = (text: string): Uint8Array => fromString(text.replaceAll(' ', ''), 'base16')
const HEADER = '2112a442 b7e7a701bc34d686fa87dfae'

function wrongFingerprint (): Uint8Array {
  const bytes = request([], {}, { fingerprint: true })
  bytes[bytes.byteLength - 1] ^= 1

  return bytes
}

function fingerprintNotLast (): Uint8Array {
  const bytes = Uint8Array.from([...request([], {}, { fingerprint: true }), 0x80, 0x22, 0, 0])
  bytes[3] += 4

  return bytes
}

const CASES: EdgeCase[] = [
  { title: 'a Binding request', bytes: request(), expected: 'success' },
  { title: 'a Binding request with FINGERPRINT', bytes: request([], {}, { fingerprint: true }), expected: 'success' },
  {
    title: 'an unknown optional attribute',
    bytes: request([{ type: 'UNKNOWN', code: 0xfffe, value: new Uint8Array(5) }]),
    expected: 'success'
  },
  {
    title: 'padding that is not zero',
    bytes: request([{ type: 'SOFTWARE', value: 'a' }]).fill(0xff, -3),
    expected: 'success'
  },
  {
    title: 'credentials',
    bytes: request(
      [
        { type: 'USERNAME', value: 'me' },
        { type: 'REALM', value: 'x' },
        { type: 'NONCE', value: 'y' }
      ],
      {},
      { integrityKey: new Uint8Array(16) }
    ),
    expected: 'success'
  },
  {
    title: 'PADDING of RFC 5780',
    bytes: request([{ type: 'PADDING', value: new Uint8Array(64) }]),
    expected: 'success'
  },
  {
    title: 'a CHANGE-REQUEST that requests no change',
    bytes: request([{ type: 'CHANGE-REQUEST', changeIP: false, changePort: false }]),
    expected: 'success'
  },
  {
    title: 'the same optional attribute twice',
    bytes: request([
      { type: 'SOFTWARE', value: 'a' },
      { type: 'SOFTWARE', value: 'b' }
    ]),
    expected: 'success'
  },
  {
    title: 'a message of 1000 bytes',
    bytes: request([{ type: 'UNKNOWN', code: 0xfffe, value: new Uint8Array(976) }]),
    expected: 'success'
  },
  {
    title: 'a message of the maximum length',
    bytes: request([{ type: 'UNKNOWN', code: 0xfffe, value: new Uint8Array(1_000) }]),
    expected: 'success'
  },
  {
    title: 'a message above the maximum length',
    bytes: request([{ type: 'UNKNOWN', code: 0xfffe, value: new Uint8Array(1_004) }]),
    expected: 'reset'
  },
  {
    title: 'a message of 3000 bytes',
    bytes: request([{ type: 'UNKNOWN', code: 0xfffe, value: new Uint8Array(2_976) }]),
    expected: 'reset'
  },
  {
    title: 'an unknown required attribute',
    bytes: request([{ type: 'UNKNOWN', code: 0x7ffe, value: new Uint8Array(4) }]),
    expected: 420,
    unknown: [0x7ffe]
  },
  {
    title: 'unknown required attributes, one twice',
    bytes: request([
      { type: 'UNKNOWN', code: 0x7ffe, value: new Uint8Array(4) },
      { type: 'UNKNOWN', code: 0x0024, value: new Uint8Array(4) },
      { type: 'UNKNOWN', code: 0x7ffe, value: new Uint8Array(1) }
    ]),
    expected: 420,
    unknown: [0x7ffe, 0x0024]
  },
  {
    title: 'CHANGE-REQUEST',
    bytes: request([{ type: 'CHANGE-REQUEST', changeIP: true, changePort: true }]),
    expected: 420,
    unknown: [3]
  },
  { title: 'RESPONSE-PORT', bytes: request([{ type: 'RESPONSE-PORT', port: 5_000 }]), expected: 420, unknown: [0x27] },
  { title: 'an unknown method', bytes: request([], { method: 3 }), expected: 400 },
  {
    title: 'an unknown method with an unknown required attribute',
    bytes: request([{ type: 'UNKNOWN', code: 0x7ffe, value: new Uint8Array(4) }], { method: 0xfff }),
    expected: 400
  },
  { title: 'method 0', bytes: request([], { method: 0 }), expected: 400 },
  { title: 'an indication', bytes: request([], { class: 'indication' }), expected: 'no response' },
  {
    title: 'an indication with an unknown required attribute',
    bytes: request([{ type: 'UNKNOWN', code: 0x7ffe, value: new Uint8Array(4) }], { class: 'indication' }),
    expected: 'no response'
  },
  { title: 'a success response', bytes: request([], { class: 'success' }), expected: 'no response' },
  { title: 'an error response', bytes: request([], { class: 'error' }), expected: 'no response' },
  { title: 'a wrong FINGERPRINT', bytes: wrongFingerprint(), expected: 'no response' },
  { title: 'a FINGERPRINT that is not the last attribute', bytes: fingerprintNotLast(), expected: 'no response' },
  { title: 'a FINGERPRINT of 8 bytes', bytes: hex(`0001000c ${HEADER} 80280008 0000000000000000`), expected: 'reset' },
  { title: 'a wrong cookie', bytes: hex('00010000 2112a443 b7e7a701bc34d686fa87dfae'), expected: 'reset' },
  { title: 'a request of RFC 3489', bytes: hex('00010000 00000000 b7e7a701bc34d686fa87dfae'), expected: 'reset' },
  { title: 'a length that is not a multiple of 4', bytes: hex(`00010002 ${HEADER} 0000`), expected: 'reset' },
  { title: 'a length of 65532 bytes', bytes: hex(`0001fffc ${HEADER}`), expected: 'reset' },
  { title: 'top bits 01', bytes: hex(`40010000 ${HEADER}`), expected: 'reset' },
  { title: 'top bits 10', bytes: hex(`80010000 ${HEADER}`), expected: 'reset' },
  { title: 'top bits 11', bytes: hex(`c0010000 ${HEADER}`), expected: 'reset' },
  { title: 'an attribute that overruns the message', bytes: hex(`00010004 ${HEADER} 80220004`), expected: 'reset' },
  { title: 'an attribute of 65535 bytes', bytes: hex(`00010004 ${HEADER} 8022ffff`), expected: 'reset' },
  {
    title: 'a USERNAME of 509 bytes',
    bytes: hex(`00010204 ${HEADER} 000601fd ${'61'.repeat(512)}`),
    expected: 'reset'
  },
  {
    title: 'an address of an unknown family',
    bytes: hex(`0001000c ${HEADER} 00200008 0009000000000000`),
    expected: 'reset'
  },
  { title: 'a MESSAGE-INTEGRITY of 4 bytes', bytes: hex(`00010008 ${HEADER} 00080004 00000000`), expected: 'reset' },
  { title: 'HTTP', bytes: Buffer.from('GET / HTTP/1.1\r\nHost: stun.example.org\r\n\r\n'), expected: 'reset' },
  { title: 'TLS', bytes: hex('1603010200010001fc0303'), expected: 'reset' },
  { title: 'SSH', bytes: Buffer.from('SSH-2.0-OpenSSH_9.2\r\n'), expected: 'reset' },
  {
    title: 'a PROXY line from an untrusted peer',
    bytes: Buffer.from('PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n'),
    expected: 'reset'
  },
  {
    title: 'a binary PROXY header from an untrusted peer',
    bytes: hex('0d0a0d0a000d0a515549540a 2111000c 01020304 05060708 0001 0002'),
    expected: 'reset'
  },
  { title: 'zeros', bytes: new Uint8Array(40), expected: 'reset' }
]

/**
 * How the bytes arrive. The requests before and after them show that the
 * connection works.
 */
const DELIVERIES: Record<string, (socket: RawClient, pieces: Uint8Array[]) => Promise<void>> = {
  'one by one': async (client, pieces) => {
    for (const byte of Buffer.concat(pieces)) {
      await write(client, Uint8Array.of(byte))
    }
  },
  coalesced: async (client, pieces) => write(client, Buffer.concat(pieces)),
  split: async (client, pieces) => {
    // within each message, never between two
    const all = Buffer.concat(pieces)
    let start = 0

    for (const end of pieces.map(
      (_, i) => pieces.slice(0, i).reduce((sum, { byteLength }) => sum + byteLength, 0) + 7
    )) {
      await write(client, all.subarray(start, end))
      start = end
    }

    await write(client, all.subarray(start))
  }
}

/**
 * Waits for the event loop, so that each write is a system call of its own
 */
async function write ({ socket }: RawClient, bytes: Uint8Array): Promise<void> {
  await new Promise<void>(resolve => { socket.write(bytes, () => { setImmediate(resolve) }) })
}

/**
 * How a client sees a reset. Node 22 reports it as an end when it has just read the
 * bytes before it, although the packet is an RST there too.
 */
const RESET = ['ECONNRESET', 'EPIPE', ...(process.versions.node.startsWith('22.') ? ['end'] : [])]

describe('STUN server, edge cases', () => {
  const { closing, closeLater } = closesAfterEach()

  async function start (): Promise<{ server: STUNServer, client: RawClient }> {
    const server = closeLater(createSTUNServer({ listen: [{ host: '127.0.0.1', port: 0 }] }))
    await server.listen()
    const client = await rawClient(server.addresses[0])
    closing.push(client)

    return { server, client }
  }

  for (const [delivery, deliver] of Object.entries(DELIVERIES)) {
    for (const { title, bytes, expected, unknown } of CASES) {
      it(`${title}, ${delivery}: ${expected}`, async () => {
        const { server, client } = await start()
        const [before, after] = [request(), request()]
        const pieces = expected === 'reset' && delivery !== 'coalesced' ? [bytes, after] : [before, bytes, after]

        // a client that writes after a reset cannot read the response before it
        if (pieces[0] === bytes) {
          await deliver(client, [before])
          expect((await client.next()).message.transactionId, 'the request before').to.equalBytes(
            before.subarray(8, 20)
          )
          await deliver(client, pieces)
        } else {
          await deliver(client, pieces)
          const { message } = await client.next()
          expect(message.transactionId, 'the request before').to.equalBytes(before.subarray(8, 20))
        }

        if (expected === 'reset') {
          // by reading or by writing
          expect(await client.closed).to.be.oneOf(RESET)
          expect(server.counters.resets['not-stun']).to.equal(1)
          return
        }

        if (expected !== 'no response') {
          const { message, bytes: answer } = await client.next()
          expect(message.class).to.equal(expected === 'success' ? 'success' : 'error')
          expect(message.transactionId).to.equalBytes(bytes.subarray(8, 20))
          expect(getAttribute(message, 'ERROR-CODE')?.code).to.equal(expected === 'success' ? undefined : expected)
          expect(getAttribute(message, 'UNKNOWN-ATTRIBUTES')?.codes).to.deep.equal(unknown)
          expect(getAttribute(message, 'XOR-MAPPED-ADDRESS')?.address).to.deep.equal(
            expected === 'success' ? { host: '127.0.0.1', port: client.socket.localPort } : undefined
          )
          expect(checkFingerprint(answer)).to.equal(title.includes('with FINGERPRINT'))
        }

        expect((await client.next()).message.transactionId, 'the request after').to.equalBytes(after.subarray(8, 20))
        expect(server.counters.ignored).to.equal(expected === 'no response' ? 1 : 0)
      })
    }
  }

  it('answers the requests before a half-close, and then closes', async () => {
    const { client } = await start()
    client.socket.end(Buffer.concat([request(), request()]))

    expect((await client.next()).message.class).to.equal('success')
    expect((await client.next()).message.class).to.equal('success')
    expect(await client.closed).to.equal('end')
  })

  it('closes at a half-close in the middle of a message', async () => {
    const { client } = await start()
    client.socket.end(request().subarray(0, 10))

    expect(await client.closed).to.equal('end')
  })

  it('answers a request without attributes with the same bytes as any other', async () => {
    const { client } = await start()
    const transactionId = new Uint8Array(12).fill(7)
    client.socket.write(request([], { transactionId }))
    const fast = (await client.next()).bytes
    client.socket.write(request([{ type: 'SOFTWARE', value: 'x' }], { transactionId }))

    expect((await client.next()).bytes).to.equalBytes(fast)
  })
})
