/**
 * A node of js-libp2p in a page, which `browser.ts` opens in Chromium. It asks the program
 * for commands, and reports events to it.
 */
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

const TIMEOUT = 20_000

async function report (event: string, detail: object = {}): Promise<void> {
  await fetch('/event', { method: 'POST', body: JSON.stringify({ event, ...detail }) })
}

const node = await createLibp2p({
  transports: [webSockets(), circuitRelayTransport()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  // by default a page may not dial without TLS, nor private addresses
  connectionGater: { denyDialMultiaddr: () => false },
  services: { identify: identify(), ping: ping() }
})

await report('page', { id: node.peerId.toString(), origin: location.origin, agent: navigator.userAgent })

while (true) {
  const { address } = await (await fetch('/command')).json()

  try {
    const signal = AbortSignal.timeout(TIMEOUT)
    const connection = await node.dial(multiaddr(address), { signal })
    const roundTrip = await node.services.ping.ping(multiaddr(address), { signal })
    await report('dialled', {
      remote: connection.remoteAddr.toString(),
      peer: connection.remotePeer.toString(),
      relayed: connection.limits != null,
      roundTrip
    })
    await node.hangUp(connection.remotePeer)
  } catch (err: any) {
    await report('failed', { name: err.name, message: err.message })
  }
}
