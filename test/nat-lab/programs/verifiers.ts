/**
 * Peers on the internet that serve AutoNAT and the DHT, one at each address of the host:
 * AutoNAT counts one vote for each /8, and takes eight for a failure
 */
import { autoNATv2 } from '@libp2p/autonat-v2'
import { identify } from '@libp2p/identify'
import { kadDHT } from '@libp2p/kad-dht'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { pbStream } from '@libp2p/utils'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { DialResponse, DialStatus, Message } from '../../../packages/tcp-stun/src/check/pb/autonat-v2.ts'
import { emit, handleCommands, readOptions } from '../../child/commands.ts'
import { dialingAutoNAT } from './dialing-autonat.ts'

export interface VerifiersOptions {
  addresses: string[]

  /**
   * Which AutoNAT they serve. `lies` is version 2, and every dial has succeeded, though
   * there was none.
   */
  autonat: 'v1' | 'v2' | 'lies'
}

const AUTONAT = { v1: dialingAutoNAT, v2: autoNATv2(), lies: () => ({}) }

/**
 * How long a dial may take, in ms: nobody is far away
 */
const DIAL_TIMEOUT = 1_000

const { addresses, autonat } = readOptions<VerifiersOptions>()
const nodes = await Promise.all(addresses.map(async address => createLibp2p({
  addresses: { listen: [`/ip4/${address}/tcp/4001`], announce: [`/ip4/${address}/tcp/4001`] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  connectionManager: { dialTimeout: DIAL_TIMEOUT },
  services: {
    identify: identify(),
    ping: ping(),
    autonat: AUTONAT[autonat] as any,
    dht: kadDHT({ clientMode: false })
  }
})))

if (autonat === 'lies') {
  await Promise.all(nodes.map(async node => node.handle('/libp2p/autonat/2/dial-request', async stream => {
    const messages = pbStream(stream).pb(Message)
    const { dialRequest } = await messages.read()

    for (const [addrIdx] of dialRequest?.addrs.entries() ?? []) {
      await messages.write({
        dialResponse: { addrIdx, status: DialResponse.ResponseStatus.OK, dialStatus: DialStatus.OK }
      })
    }

    emit('lied')
  })))
}

emit('started', { addresses: nodes.flatMap(node => node.getMultiaddrs().map(String)) })

handleCommands({}, async () => { await Promise.all(nodes.map(async node => node.stop())) })
