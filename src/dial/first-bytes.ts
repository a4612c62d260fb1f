import type { Socket } from 'node:net'

/**
 * Enough for the multistream messages of a handshake and the beginning of what
 * follows
 */
const MAX_BYTES = 512

const MULTISTREAM_HEADER = '/multistream/1.0.0'

/**
 * The length of the first message of a Noise XX initiator: an ephemeral key
 */
const NOISE_INITIATOR_LENGTH = 32

/**
 * The first bytes of a TLS record with a ClientHello: a handshake record (RFC 8446,
 * section 5.1), whose message is a client_hello (section 4)
 */
const TLS_HANDSHAKE = 22
const TLS_CLIENT_HELLO = 1
const TLS_MESSAGE_TYPE_OFFSET = 5

/**
 * Keep a copy of the first bytes that a socket receives. Call this in the tick in
 * which another listener for `data` is added: it starts the flow.
 *
 * @returns the bytes so far; to be called once, it ends the recording
 */
export function recordFirstBytes (socket: Socket): () => Uint8Array {
  const chunks: Uint8Array[] = []
  let length = 0

  const onData = (chunk: Uint8Array): void => {
    chunks.push(chunk.slice(0, MAX_BYTES - length))
    length += chunk.byteLength

    if (length >= MAX_BYTES) {
      socket.off('data', onData)
    }
  }

  socket.on('data', onData)

  return () => {
    socket.off('data', onData)

    return Buffer.concat(chunks)
  }
}

/**
 * Whether the remote side of a failed handshake has behaved as an initiator. We are
 * the initiator too: two peers that dial each other from their listening ports at
 * the same time share one TCP connection (simultaneous open, RFC 9293, section 3.5).
 *
 * An initiator and a responder both send the multistream header and the name of a
 * security protocol. But then an initiator goes on with the first message of that
 * protocol, or, when it has read a name that it did not propose, with another name.
 * A handshake that ends right after one name may be either; it counts as an initiator.
 */
export function isFromInitiator (bytes: Uint8Array): boolean {
  const { messages, rest } = readMultistream(bytes)
  const [header, ...answers] = messages
  const names = answers.filter(answer => answer !== 'na')

  if (header !== MULTISTREAM_HEADER || names.length === 0) {
    return false
  }

  return names.length > 1 || rest.byteLength === 0 || isFirstSecurityMessage(names[0], rest)
}

/**
 * Read multistream-select messages: a length, a text and a newline each. What follows
 * them has another form.
 */
function readMultistream (bytes: Uint8Array): { messages: string[], rest: Uint8Array } {
  const messages: string[] = []
  let rest = bytes

  while (rest.byteLength > 0 && rest[0] > 0 && rest[0] < 0x80) {
    const text = String.fromCharCode(...rest.subarray(1, 1 + rest[0]))

    if (text.length < rest[0] || !/^(\/.*|na)\n$/.test(text)) {
      break
    }

    messages.push(text.slice(0, -1))
    rest = rest.subarray(1 + rest[0])
  }

  return { messages, rest }
}

function isFirstSecurityMessage (protocol: string, bytes: Uint8Array): boolean {
  if (protocol === '/noise') {
    return (bytes[0] << 8 | bytes[1]) === NOISE_INITIATOR_LENGTH
  }

  return bytes[0] === TLS_HANDSHAKE && bytes[TLS_MESSAGE_TYPE_OFFSET] === TLS_CLIENT_HELLO
}
