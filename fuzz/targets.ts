import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import { Duplex } from 'node:stream'
import { subnetOf, unmapIPv4 } from '../src/address/ip.ts'
import { addressScope } from '../src/address/scope.ts'
import { ClientSession } from '../src/server/client-session.ts'
import { Connection } from '../src/server/connection.ts'
import { DEFAULT_LIMITS } from '../src/server/limits.ts'
import { parseProxyHeader } from '../src/server/proxy-protocol.ts'
import { Responder } from '../src/server/response.ts'
import { MessageDecoder } from '../src/stun/decoder.ts'
import { STUNProtocolError } from '../src/stun/errors.ts'
import { checkFingerprint } from '../src/stun/fingerprint.ts'
import { checkIntegrity } from '../src/stun/integrity.ts'
import { METHOD_BINDING, createTransactionId, decodeMessage, encodeMessage } from '../src/stun/message.ts'
import type { ResetReason } from '../src/server/client-session.ts'
import type { Attribute } from '../src/stun/attributes.ts'
import type { Socket } from 'node:net'

const PREFIX = { ipv4: 24, ipv6: 48 }
const KEY = new Uint8Array(16)
export const CLIENT = { host: '11.0.0.1', port: 4_001 }
export const LIMITS = { ...DEFAULT_LIMITS, maxRequestsPerSecond: 1e9 }

/**
 * What a good client sends, to begin with
 */
export function seeds (): Uint8Array[] {
  const message = (attributes: Attribute[], options = {}): Uint8Array =>
    encodeMessage(
      { class: 'request', method: METHOD_BINDING, transactionId: createTransactionId(), attributes },
      options
    )

  return [
    message([]),
    message([], { fingerprint: true }),
    message(
      [
        { type: 'SOFTWARE', value: 'a' },
        { type: 'USERNAME', value: 'b' }
      ],
      { integrityKey: KEY, fingerprint: true }
    ),
    message([{ type: 'CHANGE-REQUEST', changeIP: true, changePort: false }], { integrityKey: KEY }),
    message([
      { type: 'XOR-MAPPED-ADDRESS', address: { host: '2a00::1', port: 1 } },
      { type: 'MAPPED-ADDRESS', address: CLIENT }
    ]),
    message([
      { type: 'ERROR-CODE', code: 420, reason: 'x' },
      { type: 'UNKNOWN-ATTRIBUTES', codes: [1, 2] }
    ]),
    message([
      { type: 'PASSWORD-ALGORITHMS', value: KEY },
      { type: 'MESSAGE-INTEGRITY-SHA256', value: KEY }
    ]),
    ...[
      '1.2.3.4',
      '::ffff:10.0.0.1',
      '2001:db8::1',
      'fe80::1%eth0',
      '64:ff9b::a00:1',
      '2002:a00:1::1',
      '2001:0:4136:e378:8000:63bf:f5ff:fffe'
    ].map(text => Buffer.from(text)),
    Buffer.from('PROXY TCP4 11.0.0.1 12.0.0.2 1 2\r\n'),
    Buffer.from('0d0a0d0a000d0a515549540a2111000c0b0000010c00000204d20d96', 'hex')
  ]
}

/**
 * Nothing but a protocol error may come of any bytes
 */
export function fuzzCodec (bytes: Uint8Array): void {
  const message = refusable(() => decodeMessage(bytes))

  checkFingerprint(bytes)
  checkIntegrity(bytes, KEY)

  if (message == null) {
    return
  }

  let again: Uint8Array

  try {
    again = encodeMessage(message)
  } catch (err) {
    // a text that was no UTF-8 becomes longer than it may be
    assert((err as Error).name === 'InvalidParametersError', String(err))
    return
  }

  assert.deepEqual(decodeMessage(again), message)
}

/**
 * However the bytes are cut the messages are the same
 */
export function fuzzDecoder (bytes: Uint8Array): void {
  const step = 1 + (bytes[0] ?? 0) % 23
  const whole = run(bytes, bytes.byteLength)
  const cut = run(bytes, step)

  assert.deepEqual(cut, whole)
}

function run (bytes: Uint8Array, step: number): { messages: string[], failed: boolean, held: number } {
  const decoder = new MessageDecoder()
  const messages: string[] = []
  let failed = false

  for (let i = 0; i < bytes.byteLength && !failed; i += step) {
    failed = refusable(() => {
      for (const message of decoder.decode(bytes.subarray(i, i + step))) {
        messages.push(Buffer.from(message).toString('latin1'))
      }

      return true
    }) == null
    assert(decoder.bufferedLength <= 2_048)
  }

  return { messages, failed, held: decoder.bufferedLength }
}

/**
 * A socket without a system behind it: the server's side of one connection
 */
export class Wire extends Duplex {
  readonly sent: Uint8Array[] = []

  override _read (): void {}

  override _write (chunk: Uint8Array, _encoding: string, callback: () => void): void {
    this.sent.push(Uint8Array.from(chunk))
    callback()
  }
}

/**
 * A connection answers what is STUN, or is reset; whole or cut alike, and every
 * answer is STUN
 */
export function fuzzServer (bytes: Uint8Array): void {
  const whole = serve(bytes, bytes.byteLength)
  const cut = serve(bytes, 1 + (bytes[1] ?? 0) % 31)

  assert.deepEqual(cut, whole)
}

function serve (bytes: Uint8Array, step: number): { answers: string[], outcomes: string[], reset?: ResetReason } {
  const wire = new Wire()
  const outcomes: string[] = []
  let reset: ResetReason | undefined
  const session = new ClientSession(new Connection(wire as unknown as Socket, CLIENT, RESPONDER.server), RESPONDER, {
    limits: LIMITS,
    alternates: [],
    onMessage: (_, outcome) => { outcomes.push(String(outcome)) },
    drop: (_, reason, err) => {
      assert(reason === 'not-stun' && err instanceof STUNProtocolError, `${reason}: ${err?.stack}`)
      reset = reason
    }
  })

  for (let i = 0; i < bytes.byteLength; i += step) {
    if (reset != null) {
      break
    }

    session.receive(bytes.subarray(i, i + step))
  }

  // ends its timers
  wire.emit('close')
  const answers = [...new MessageDecoder().decode(Buffer.concat(wire.sent))].map(answer => {
    assert(['success', 'error'].includes(decodeMessage(answer).class))

    return Buffer.from(answer).toString('latin1')
  })
  assert.equal(answers.length, outcomes.filter(outcome => outcome !== 'ignore').length)

  return { answers, outcomes, reset }
}

export const RESPONDER = new Responder({
  server: { host: '12.0.0.2', port: 3_478 },
  other: { host: '12.0.0.3', port: 3_479 },
  software: 'fuzz'
})

/**
 * A text is an address for us when it is one for Node, and its scope and subnet do
 * not depend on how it was written
 */
export function fuzzAddress (bytes: Uint8Array): void {
  const host = Buffer.from(bytes.subarray(0, 48)).toString('latin1')
  const scope = addressScope(host)
  assert.equal(scope == null, isIP(host) === 0)
  const unmapped = unmapIPv4(host)
  assert.equal(unmapIPv4(unmapped), unmapped)
  assert.equal(addressScope(unmapped), scope)

  if (scope != null) {
    const [whole] = subnetOf(host, { ipv4: 32, ipv6: 128 }).split('/')
    assert.equal(addressScope(whole), scope)
    assert.equal(subnetOf(whole, PREFIX), subnetOf(host, PREFIX))
    assert.equal(subnetOf(subnetOf(host, PREFIX).split('/')[0], PREFIX), subnetOf(host, PREFIX))
  }
}

export function fuzzProxy (bytes: Uint8Array): void {
  const header = refusable(() => parseProxyHeader(bytes))

  if (header != null && header.type !== 'incomplete') {
    assert(header.length <= bytes.byteLength)
    assert.deepEqual(parseProxyHeader(bytes.subarray(0, header.length)), header)
  }
}

function refusable<T> (run: () => T): T | undefined {
  try {
    return run()
  } catch (err) {
    if (!(err instanceof STUNProtocolError)) {
      throw err
    }
  }
}
