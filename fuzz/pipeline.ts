import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import tls from 'node:tls'
import { TypedEventEmitter } from 'main-event'
import { createCounters } from '../src/server/counters.ts'
import { ConnectionPipeline } from '../src/server/pipeline.ts'
import { createCertificate } from '../test/fixtures/certificate.ts'
import { CLIENT, LIMITS, RESPONDER, Wire, seeds } from './targets.ts'
import type { Entrance } from '../src/server/pipeline.ts'
import type { Socket } from 'node:net'

const PROXY = '127.0.0.1'
const PROXY_HEADER = Buffer.from('0d0a0d0a000d0a515549540a2111000c0b0000010c00000204d20d96', 'hex')

/**
 * A client's socket, as the server has accepted it
 */
class ClientWire extends Wire {
  readonly remoteAddress: string
  readonly remotePort = CLIENT.port
  readonly localAddress = RESPONDER.server.host
  readonly localPort = RESPONDER.server.port

  constructor (remoteAddress: string) {
    super({ allowHalfOpen: true })

    this.remoteAddress = remoteAddress
  }
}

const { cert, key, remove } = createCertificate()
const certificate = { secureContext: tls.createSecureContext({ cert, key }) }
remove()

const ENTRANCES: Entrance[] = [
  { responderFor: () => RESPONDER },
  { responderFor: () => RESPONDER, certificate }
]
const counters = createCounters()
const pipeline = new ConnectionPipeline({
  limits: { ...LIMITS, maxNewConnectionsPerSecond: 1e9 },
  counters,
  trustedProxies: [PROXY],
  events: new TypedEventEmitter()
})

/**
 * The ways in: from a client or a trusted proxy, over TCP and TLS
 */
export const WAYS = [PROXY, CLIENT.host].flatMap(remoteAddress =>
  ENTRANCES.map(entrance => ({ remoteAddress, entrance })))

/**
 * A connection ends, and nothing of it stays, whatever it begins with. The input
 * decides which way it comes in: all ways for each input would take four times as long.
 */
export async function fuzzPipeline (
  bytes: Uint8Array,
  ways = [WAYS[(bytes.at(-1) ?? 0) % WAYS.length]]
): Promise<void> {
  for (const { remoteAddress, entrance } of ways) {
    await connect(new ClientWire(remoteAddress), entrance, bytes)
  }
}

async function connect (wire: ClientWire, entrance: Entrance, bytes: Uint8Array): Promise<void> {
  const step = 1 + (bytes[2] ?? 0) % 97
  const handled = pipeline.handle(wire as unknown as Socket, entrance)

  for (let i = 0; i < bytes.byteLength && !wire.destroyed; i += step) {
    wire.push(bytes.subarray(i, i + step))
    await setImmediate()
  }

  if (!wire.destroyed) {
    wire.push(null)
    await setImmediate()
  }

  wire.destroy()
  await handled
  await setImmediate()
  assert.equal(counters.connections, 0)
}

/**
 * What a good client sends first, over TLS and through a proxy
 */
export async function pipelineSeeds (): Promise<Uint8Array[]> {
  const hellos = [await clientHello('TLSv1.2'), await clientHello('TLSv1.3')]

  return [...hellos, ...[...hellos, ...seeds()].map(bytes => Buffer.concat([PROXY_HEADER, bytes]))]
}

async function clientHello (maxVersion: tls.SecureVersion): Promise<Uint8Array> {
  const wire = new Wire()
  const client = tls.connect({ socket: wire as unknown as Socket, servername: 'localhost', maxVersion })
  client.on('error', () => {})

  while (wire.sent.length === 0) {
    await setImmediate()
  }

  client.destroy()

  return Buffer.concat(wire.sent)
}
