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
 * How long a message may take over one connection, in ms
 */
const TIMEOUT = 5_000

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
  const sent = await Promise.allSettled(partners(node, helper).map(async ({ peer }) => deliver(node, peer, text)))

  return sent.filter(({ status }) => status === 'fulfilled').length
}

// Over the best connection, or the next one where that has just ended
async function deliver (node, peer, text) {
  const errors = []

  for (const connection of bestFirst(node.getConnections(peer))) {
    const signal = AbortSignal.timeout(TIMEOUT)
    let stream

    try {
      stream = await connection.newStream(PROTOCOL, { runOnLimitedConnection: true, signal })
      stream.send(new TextEncoder().encode(text))
      await stream.close({ signal })
      return
    } catch (err) {
      // what is reset is not shown
      stream?.abort(err)
      errors.push(err)
    }
  }

  throw new AggregateError(errors, `${peer} has not got the message`)
}

// The peers that are connected, each with its best connection
export function partners (node, helper) {
  return node.getPeers().filter(peer => peer.toString() !== helper).map(peer => {
    const [connection] = bestFirst(node.getConnections(peer))

    return { peer, connection, way: wayOf(connection) }
  })
}

// A relayed connection has limits
function bestFirst (connections) {
  return connections.toSorted((a, b) => Number(a.limits != null) - Number(b.limits != null))
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
