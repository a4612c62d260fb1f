import { generateKeyPair } from '@libp2p/crypto/keys'
import { defaultLogger } from '@libp2p/logger'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { TypedEventEmitter } from 'main-event'
import { Endings } from '../../../src/dcutr/hard/endings.ts'
import { HardPunchError } from '../../../src/dcutr/hard/errors.ts'
import { HardPunchLimits } from '../../../src/dcutr/hard/limits.ts'
import { HeldClock } from '../../fixtures/held-clock.ts'
import type { Connection, Libp2pEvents, PeerId } from '@libp2p/interface'

const RELAYED = '/ip4/1.2.3.4/tcp/4001/p2p-circuit'
const DIRECT = '/ip4/5.6.7.8/tcp/4001'

describe('the ending of a hard punch', () => {
  let peer: PeerId
  let other: PeerId
  let connections: Connection[]
  let events: TypedEventEmitter<Libp2pEvents>
  let limits: HardPunchLimits
  let outcomes: string[]
  let endings: Endings

  before(async () => {
    peer = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
    other = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
  })

  beforeEach(() => {
    connections = [connection(peer, RELAYED)]
    events = new TypedEventEmitter()
    limits = new HardPunchLimits(new HeldClock())
    outcomes = []
    const metrics: any = {
      registerCounterGroup: () => ({ increment: (counts: object) => { outcomes.push(...Object.keys(counts)) } })
    }
    endings = new Endings({
      connectionManager: { getConnections: () => connections },
      events,
      metrics
    }, defaultLogger().forComponent('test'), ({ remoteAddr }) => remoteAddr.toString().includes('/tcp/9999'))
  })

  /**
   * As much of a connection as counts here
   */
  function connection (remotePeer: PeerId, address: string): Connection {
    return { remotePeer, remoteAddr: multiaddr(address) } as unknown as Connection
  }

  function open (remotePeer: PeerId, address: string): void {
    events.safeDispatchEvent('connection:open', { detail: connection(remotePeer, address) })
  }

  const settle = async (err?: Error): Promise<void> => {
    await endings.settle({ side: 'hard', relayed: connections[0], permit: limits.take(peer) }, err)
  }

  const mayTryAgain = (): boolean => {
    try {
      limits.take(peer).end(true)

      return true
    } catch {
      return false
    }
  }

  it('success', async () => {
    await settle()
    expect(outcomes).to.deep.equal(['succeeded'])
    expect(mayTryAgain()).to.equal(true)
  })

  it('a failure has the peer left alone', async () => {
    await settle(new HardPunchError('not-met', 'none'))
    expect(outcomes).to.deep.equal(['not-met'])
    expect(mayTryAgain()).to.equal(false)
  })

  it('superseded by a direct connection: no failure', async () => {
    connections.push(connection(peer, DIRECT))
    await settle(new Error('aborted'))
    expect(outcomes).to.deep.equal(['superseded'])
    expect(mayTryAgain()).to.equal(true)
  })

  it('superseded by a direct connection that the peer has seen first, and ended the stream', async () => {
    const settling = settle(new Error('The stream ended'))
    open(other, DIRECT)
    open(peer, RELAYED)
    open(peer, DIRECT)
    await settling
    expect(outcomes).to.deep.equal(['superseded'])
    expect(mayTryAgain()).to.equal(true)
  })

  it('superseded, as the peer says', async () => {
    await settle(new HardPunchError('superseded', 'connected'))
    expect(outcomes).to.deep.equal(['superseded'])
  })

  it('neither a connection of another peer nor a relayed one nor its own supersedes it', async () => {
    connections.push(connection(peer, '/ip4/5.6.7.8/tcp/9999'))
    const settling = settle(new TypeError('The stream was reset'))
    open(other, DIRECT)
    open(peer, RELAYED)
    await settling
    expect(outcomes).to.deep.equal(['TypeError'])
    expect(mayTryAgain()).to.equal(false)
  })
})
