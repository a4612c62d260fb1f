/**
 * What the page and the node at home have in common: each message is a stream of its own,
 * over the best connection that there is. `examples/chat` speaks the same protocol.
 */
const PROTOCOL = '/example-chat/1.0.0'

/**
 * A message that is longer is cut off, in bytes
 */
const MAX_MESSAGE = 4_096

/**
 * How long a message may take, in ms
 */
const TIMEOUT = 20_000

// Call `onMessage` with the peer and the text of each message
export async function receive (node, onMessage) {
  await node.handle(PROTOCOL, async (stream, { remotePeer }) => {
    try {
      const bytes = []

      for await (const chunk of stream) {
        bytes.push(...chunk.subarray().subarray(0, MAX_MESSAGE - bytes.length))

        if (bytes.length === MAX_MESSAGE) {
          break
        }
      }

      onMessage(remotePeer, new TextDecoder().decode(Uint8Array.from(bytes)))
      await stream.close()
    } catch (err) {
      stream.abort(err)
    }
  }, { runOnLimitedConnection: true })
}

// Send a message to all peers but the helper, and tell how many have got it
export async function send (node, helper, text) {
  const sent = await Promise.allSettled(partners(node, helper).map(async ({ peer, connection }) => {
    const signal = AbortSignal.timeout(TIMEOUT)
    const stream = await connection.newStream(PROTOCOL, { runOnLimitedConnection: true, signal })
    stream.send(new TextEncoder().encode(text))
    await stream.close({ signal })

    return peer
  }))

  return sent.filter(({ status }) => status === 'fulfilled').length
}

// The peers that are connected, each with its best connection
export function partners (node, helper) {
  return node.getPeers().filter(peer => peer.toString() !== helper).map(peer => {
    const connections = node.getConnections(peer)
    const connection = connections.find(({ limits }) => limits == null) ?? connections[0]

    return { peer, connection, way: wayOf(connection) }
  })
}

// How a connection goes, in words
function wayOf ({ limits, remoteAddr }) {
  const address = remoteAddr.toString()

  if (limits != null) {
    return 'by the relay'
  }

  if (address.includes('/webrtc')) {
    return 'direct, by WebRTC'
  }

  return address.includes('/ws') ? 'direct, by WebSocket' : 'direct, by TCP'
}
