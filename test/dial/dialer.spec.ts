import { spawn } from 'node:child_process'
import net from 'node:net'
import { fileURLToPath } from 'node:url'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { TypedEventEmitter } from 'main-event'
import { pEvent } from 'p-event'
import { tcpSTUN } from '../../src/index.ts'
import { bindSocket } from '../../src/net/bound-socket.ts'
import { INITIATOR_TIMEOUT } from '../../src/punch/role.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { components, plainUpgrader } from '../fixtures/components.ts'
import { skipWithout } from '../fixtures/missing-tool.ts'
import { fakeServer } from '../fixtures/stun-servers.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import { labSupport, unshareArgs } from '../nat-lab/support.ts'
import type { TCPSTUNComponents, TCPSTUNInit } from '../../src/index.ts'
import type { PlainUpgrader } from '../fixtures/components.ts'
import type { FakeServer } from '../fixtures/stun-servers.ts'
import type { Transport, Listener } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

const EVENT = { timeout: 10_000 }
const PROGRAM = fileURLToPath(new URL('./programs/unprivileged-dial.js', import.meta.url))
const PEER = '12D3KooWQgZPPKBL3kZg6d44ougupt6QytBKG17MG4Dm7YbyJP9b'

/**
 * The first bytes of an initiator
 */
const INITIATOR = '\x13/multistream/1.0.0\n\x07/noise\n'

describe('dialer', () => {
  const { closing, closeLater } = closesAfterEach()

  async function listen (
    init: TCPSTUNInit = {},
    address = '/ip4/127.0.0.1/tcp/0',
    overrides: Partial<TCPSTUNComponents> = {}
  ): Promise<{ transport: Transport; listener: Listener; upgrader: PlainUpgrader; port: number }> {
    const upgrader = plainUpgrader()
    const transport = tcpSTUN({ stunServers: ['stun:11.0.0.1'], mappingTimeout: 0, ...init })(components(overrides))
    const listener = closeLater(transport.createListener({ upgrader }))
    await listener.listen(multiaddr(address))

    return { transport, listener, upgrader, port: Number(listener.getAddrs()[0].getComponents()[1].value) }
  }

  /**
   * A peer that says this as soon as we are connected
   */
  async function remote (
    host = '127.0.0.1',
    firstBytes?: string
  ): Promise<FakeServer & { ports: number[]; accept(): Promise<void>; address: string }> {
    const ports: number[] = []
    const events = new EventTarget()
    const server = await fakeServer(socket => {
      ports.push(socket.remotePort ?? 0)
      events.dispatchEvent(new Event('accept'))

      if (firstBytes != null) {
        socket.write(firstBytes)
      }
    }, host)
    closing.push(server)

    return Object.assign(server, {
      ports,
      address: `/ip${net.isIPv6(host) ? 6 : 4}/${host}/tcp/${server.port}`,
      accept: async () => {
        if (ports.length === 0) {
          await pEvent(events, 'accept', EVENT)
        }
      }
    })
  }

  async function dial (
    transport: Transport,
    upgrader: PlainUpgrader,
    address: string
  ): Promise<{ close(): Promise<void>; abort(err: Error): void }> {
    const connection: any = await transport.dial(multiaddr(address), { upgrader, signal: AbortSignal.timeout(5_000) })
    closing.push({ close: () => connection.abort(new Error('done')) })

    return connection
  }

  for (const { listenAddr, host } of [
    { listenAddr: '/ip4/127.0.0.1/tcp/0', host: '127.0.0.1' },
    { listenAddr: '/ip4/0.0.0.0/tcp/0', host: '127.0.0.1' },
    { listenAddr: '/ip6/::1/tcp/0', host: '::1' },
    { listenAddr: '/ip6/::/tcp/0', host: '::1' }
  ]) {
    it(`dials ${host} from the port of ${listenAddr}`, async () => {
      const server = await remote(host)
      const { transport, upgrader, port } = await listen({}, listenAddr)
      await dial(transport, upgrader, server.address)
      await server.accept()

      expect(server.ports).to.deep.equal([port])
    })
  }

  it('leaves from the local address of the same IP version, unless it leaves from a listening port', async () => {
    const dialOpts = { localAddresses: ['::1', '127.0.0.2'] }
    const { transport, upgrader } = await listen({ dialOpts, portReuse: false })
    const { transport: reusing, upgrader: reusingUpgrader, port } = await listen({ dialOpts })
    const four = await listen()
    const six = await listen({}, '/ip6/::1/tcp/0')
    const addressOf = ({ listener }: { listener: Listener }): Multiaddr => listener.getAddrs()[0]

    await transport.dial(addressOf(four), { upgrader, signal: AbortSignal.timeout(EVENT.timeout) })
    await transport.dial(addressOf(six), { upgrader, signal: AbortSignal.timeout(EVENT.timeout) })
    await reusing.dial(addressOf(four), { upgrader: reusingUpgrader, signal: AbortSignal.timeout(EVENT.timeout) })
    await waitUntil('all are accepted', () => four.upgrader.inbound.length === 2 && six.upgrader.inbound.length === 1)

    expect(four.upgrader.inbound[0].remoteAddr.toString()).to.match(/^\/ip4\/127\.0\.0\.2\//)
    expect(four.upgrader.inbound[1].remoteAddr.toString()).to.equal(`/ip4/127.0.0.1/tcp/${port}`)
    expect(six.upgrader.inbound[0].remoteAddr.toString()).to.match(/^\/ip6\/::1\//)
  })

  it('takes a fresh port when told to, without a listener, and for another family', async () => {
    const server = await remote()
    const server6 = await remote('::1')
    const off = await listen({ portReuse: false })
    await dial(off.transport, off.upgrader, server.address)
    await server.accept()
    expect(server.ports).to.not.include(off.port)

    const upgrader = plainUpgrader()
    await dial(tcpSTUN()(components()), upgrader, server.address)

    const v4 = await listen()
    await dial(v4.transport, v4.upgrader, server6.address)
    await server6.accept()
    expect(server6.ports).to.not.include(v4.port)
  })

  it('takes a fresh port for a dial that asks for one', async () => {
    const server = await remote()
    const { transport, upgrader, port } = await listen()
    const options = { upgrader, signal: AbortSignal.timeout(5_000), freshPort: true }
    const connection: any = await transport.dial(multiaddr(server.address), options)
    closing.push({ close: () => connection.abort(new Error('done')) })
    await server.accept()

    expect(server.ports).to.have.lengthOf(1).and.to.not.include(port)
  })

  it('takes a fresh port for a host that it has a connection with', async () => {
    const first = await remote()
    const second = await remote()
    const { transport, upgrader, port } = await listen()
    await dial(transport, upgrader, first.address)
    await dial(transport, upgrader, second.address)
    await first.accept()
    await second.accept()

    expect(first.ports).to.deep.equal([port])
    expect(second.ports).to.not.include(port)
  })

  it('takes a fresh port when the other is taken', async () => {
    const server = await remote()
    const { transport, upgrader, port } = await listen()

    // somebody else of this process has this very connection
    const taken = bindSocket({ host: '127.0.0.1', port }).connect({ host: '127.0.0.1', port: server.port })
    closing.push({ close: () => taken.destroy() })
    await pEvent(taken, 'connect', EVENT)

    await dial(transport, upgrader, server.address)
    expect(upgrader.outbound).to.have.lengthOf(1)
  })

  it('takes a fresh port when the process may not bind the other', async function () {
    const support = labSupport()

    if (!support.supported) {
      return skipWithout(this, 'a process without privileges', support.missing)
    }

    const child = spawn('unshare', [
      ...unshareArgs(support.privileges),
      'setpriv',
      '--inh-caps=-net_bind_service',
      '--bounding-set=-net_bind_service',
      process.execPath,
      PROGRAM
    ], { stdio: ['ignore', 'pipe', 'inherit'] })
    closing.push({ close: () => { child.kill() } })
    let output = ''
    child.stdout.on('data', chunk => { output += chunk })

    expect(await pEvent<'close', number | null>(child, 'close', { timeout: 50_000 })).to.equal(0)
    expect(Number(output)).to.be.above(1_023)
  })

  it('never connects to itself', async () => {
    const { transport, upgrader, port } = await listen({}, '/ip4/0.0.0.0/tcp/0')
    await dial(transport, upgrader, `/ip4/127.0.0.1/tcp/${port}`)

    expect(upgrader.outbound).to.have.lengthOf(1)
    await Promise.all(upgrader.outbound.map(async maConn => maConn.close()))
  })

  it('dials the same peer again after the upgrade failed: nothing is left in TIME_WAIT', async () => {
    const server = await remote()
    const { transport, port } = await listen()
    const failing = plainUpgrader({ upgradeOutbound: async () => { throw new Error('Oh noes!') } })

    for (let i = 0; i < 3; i++) {
      await expect(dial(transport, failing, server.address)).to.eventually.be.rejectedWith('Oh noes!')

      await waitUntil(
        'the server has seen the connection and its end',
        () => server.sockets.size === 0 && server.ports.length > i
      )
    }

    expect(server.ports).to.deep.equal([port, port, port])
  })

  it('can be aborted before and while it connects, and during the upgrade', async () => {
    const server = await remote()
    const { transport, upgrader } = await listen()

    await expect(transport.dial(multiaddr(server.address), { upgrader, signal: AbortSignal.abort() }))
      .to.eventually.be.rejected()
      .with.property('name', 'AbortError')

    const connecting = new AbortController()
    const first = transport.dial(multiaddr(server.address), { upgrader, signal: connecting.signal })
    connecting.abort()
    await expect(first).to.eventually.be.rejected().with.property('name', 'AbortError')

    const upgrading = new AbortController()
    const hanging = plainUpgrader({
      upgradeOutbound: async (_, options: any) => {
        upgrading.abort()
        options.signal.throwIfAborted()
        throw new Error('unreachable')
      }
    })
    await expect(transport.dial(multiaddr(server.address), { upgrader: hanging, signal: upgrading.signal }))
      .to.eventually.be.rejected()
      .with.property('name', 'AbortError')

    await waitUntil('all connections have ended', () => server.sockets.size === 0)
  })

  it('fails with the error of the system', async () => {
    const server = await fakeServer(() => {})
    await server.close()
    const { transport, upgrader } = await listen()

    await expect(dial(transport, upgrader, `/ip4/127.0.0.1/tcp/${server.port}`))
      .to.eventually.be.rejectedWith('connection error')
      .with.property('code', 'ECONNREFUSED')
  })

  it('connects again and again when a punch is refused, from its port', async () => {
    const gone = await fakeServer(() => {})
    await gone.close()
    const relayed: any = {
      remoteAddr: multiaddr(`/ip4/11.0.0.9/tcp/4001/p2p/${PEER}/p2p-circuit/p2p/${PEER}`),
      streams: [{ protocol: '/libp2p/dcutr', direction: 'inbound' }],
      remotePeer: PEER
    }
    let refusals = 0
    let server: FakeServer | undefined
    const ports: number[] = []
    const { transport, upgrader, port } = await listen({}, undefined, {
      metrics: countRefusals(() => {
        refusals++

        if (refusals === 3) {
          fakeServer(
            socket => { ports.push(socket.remotePort ?? 0) },
            '127.0.0.1',
            gone.port
          ).then(
            opened => { server = closeLater(opened) },
            () => {}
          )
        }
      }),
      connectionManager: { getConnections: () => [relayed] } as any
    })
    await dial(transport, upgrader, `/ip4/127.0.0.1/tcp/${gone.port}/p2p/${PEER}`)

    expect(server).to.not.equal(undefined)
    expect(ports).to.deep.equal([port])
    expect(refusals).to.be.at.least(3)

    // a peer that is not there does not keep us busy for ever
    await server?.close()
    await expect(dial(transport, upgrader, `/ip4/127.0.0.1/tcp/${gone.port}/p2p/${PEER}`))
      .to.eventually.be.rejected()
      .with.property('code', 'ECONNREFUSED')
    expect(refusals).to.be.below(200)
  })

  it('is an initiator where an address without a peer id is of no punch, though one is under way', async () => {
    const server = await remote()
    const relayed: any = {
      remoteAddr: multiaddr(`/ip4/11.0.0.9/tcp/4001/p2p/${PEER}/p2p-circuit/p2p/${PEER}`),
      streams: [{ protocol: '/libp2p/dcutr', direction: 'outbound' }],
      remotePeer: PEER
    }
    const { transport, upgrader } = await listen({}, undefined, {
      connectionManager: { getConnections: () => [relayed] } as any
    })

    // it says nothing by itself
    await dial(transport, upgrader, server.address)
    expect(upgrader.outbound[0]).to.have.property('direction', 'outbound')

    // this peer speaks first
    const peer = await remote('127.0.0.2', INITIATOR)
    await dial(transport, upgrader, `${peer.address}/p2p/${PEER}`)
    expect(upgrader.outbound[1]).to.have.property('direction', 'inbound')
  })

  it('does not wait long for the peer of another punch to speak first', async () => {
    const server = await remote()
    const relayed: any = {
      remoteAddr: multiaddr(`/ip4/11.0.0.9/tcp/4001/p2p/${PEER}/p2p-circuit/p2p/${PEER}`),
      streams: [{ protocol: '/libp2p/dcutr', direction: 'outbound' }],
      remotePeer: PEER
    }
    const connectionManager: any = { getConnections: () => [relayed] }
    const { transport, upgrader } = await listen({}, undefined, { connectionManager })
    const wait = async (): Promise<number> => {
      const start = performance.now()
      await dial(transport, upgrader, server.address)

      return performance.now() - start
    }
    let shortest = Infinity

    // a busy machine may be late ten times, but not too soon once
    for (let i = 0; i < 10 && shortest >= INITIATOR_TIMEOUT; i++) {
      shortest = Math.min(shortest, await wait())
    }

    expect(shortest).to.be.below(INITIATOR_TIMEOUT)
    expect(upgrader.outbound[0]).to.have.property('direction', 'outbound')
  })

  it('takes the role that its options give, unless the peer waits as well', async () => {
    const { transport, upgrader } = await listen()

    for (const [initiator, firstBytes, direction] of [
      [true, undefined, 'outbound'],
      [false, INITIATOR, 'inbound'],
      [false, undefined, 'outbound']
    ] as const) {
      const server = await remote('127.0.0.1', firstBytes)
      const connection: any = await transport.dial(multiaddr(server.address), {
        upgrader,
        initiator,
        signal: AbortSignal.timeout(5_000)
      } as any)
      closing.push({ close: () => connection.abort(new Error('done')) })
      expect(upgrader.outbound.at(-1)).to.have.property('direction', direction)
    }
  })

  it('asks for its role once the socket is connected, if the role is a function', async () => {
    const { transport, upgrader } = await listen()
    const server = await remote('127.0.0.1', INITIATOR)
    const refused = bindSocket({ host: '127.0.0.1', port: 0 })
    closing.push(refused)
    let calls = 0
    const dialOptions = (isInitiator: boolean): any => ({
      upgrader,
      initiator: () => {
        calls++

        return isInitiator
      },
      freshPort: true,
      signal: AbortSignal.timeout(5_000)
    })

    await expect(transport.dial(multiaddr(`/ip4/127.0.0.1/tcp/${refused.port}`), dialOptions(false)))
      .to.eventually.be.rejected.with.property('code', 'ECONNREFUSED')
    expect(calls).to.equal(0)

    for (const [i, direction] of ['inbound', 'outbound'].entries()) {
      const connection: any = await transport.dial(multiaddr(server.address), dialOptions(direction === 'outbound'))
      closing.push({ close: () => connection.abort(new Error('done')) })
      expect(upgrader.outbound.at(-1)).to.have.property('direction', direction)
      expect(calls).to.equal(i + 1)
    }
  })

  it('upgrades the socket that it is given, in the role that it is given', async () => {
    const { transport, upgrader } = await listen()

    for (const [initiator, direction] of [[true, 'outbound'], [false, 'inbound'], [undefined, 'outbound']] as const) {
      const server = await remote()
      const socket = net.connect({ host: '127.0.0.1', port: server.port })
      await pEvent(socket, 'connect', EVENT)
      const connection: any = await transport.dial(multiaddr(server.address), {
        upgrader,
        socket,
        initiator,
        signal: AbortSignal.timeout(5_000)
      } as any)
      closing.push({ close: () => connection.abort(new Error('done')) })
      await server.accept()

      expect(upgrader.outbound.at(-1)).to.have.property('direction', direction)
      expect(server.ports).to.deep.equal([socket.localPort])
    }
  })

  for (const name of ['dns4', 'dns']) {
    it(`dials /${name} from the port of the listener where the name has one IP version`, async () => {
      const server = await remote()
      const { transport, upgrader, port } = await listen()
      await dial(transport, upgrader, `/${name}/localhost/tcp/${server.port}`)
      await server.accept()

      expect(server.ports).to.have.lengthOf(1)

      if (name === 'dns4') {
        expect(server.ports).to.deep.equal([port])
      }
    })
  }

  it('fails with the error of the system for a name that does not exist', async () => {
    const { transport, upgrader } = await listen()

    await expect(dial(transport, upgrader, '/dns4/does-not-exist.invalid/tcp/4001'))
      .to.eventually.be.rejected()
      .with.property('code', 'ENOTFOUND')
  })

  describe('of a peer that dials us at the same time', () => {
    /**
     * Upgrades like libp2p as far as the handshake: proposes, and fails on what an
     * initiator sends
     */
    function proposingUpgrader (): PlainUpgrader {
      const upgrader: PlainUpgrader = plainUpgrader({
        upgradeOutbound: async (maConn: any) => {
          upgrader.outbound.push(maConn)
          maConn.send(Buffer.from(INITIATOR))
          let received = Buffer.alloc(0)

          for await (const data of maConn) {
            received = Buffer.concat([received, data.subarray()])

            if (received.byteLength > 100) {
              return maConn
            } else if (received.byteLength > 30) {
              throw new Error('the handshake failed')
            }
          }

          throw new Error('the connection ended')
        }
      })

      return upgrader
    }

    function speak (message: number): (socket: net.Socket) => void {
      return socket => {
        socket.write(
          Buffer.concat([Buffer.from(INITIATOR), Buffer.from([0, message]), Buffer.alloc(message)])
        )
      }
    }

    it('dials once more, from a fresh port', async () => {
      const ports: number[] = []
      const server = await fakeServer(socket => {
        ports.push(socket.remotePort ?? 0)
        // an initiator's first message, then a responder's
        speak(ports.length === 1 ? 32 : 200)(socket)
      })
      closing.push(server)
      const { transport, port } = await listen()
      const upgrader = proposingUpgrader()
      await dial(transport, upgrader, `/ip4/127.0.0.1/tcp/${server.port}`)

      expect(ports).to.have.lengthOf(2)
      expect(ports[0]).to.equal(port)
      expect(ports[1]).to.not.equal(port)
    })

    it('gives up when that fails too', async () => {
      const server = await fakeServer(speak(32))
      closing.push(server)
      const { transport } = await listen()

      await expect(
        dial(transport, proposingUpgrader(), `/ip4/127.0.0.1/tcp/${server.port}`)
      ).to.eventually.be.rejectedWith('the handshake failed')
      expect(server.accepted).to.equal(2)
    })

    it('does not dial again where a responder has failed', async () => {
      const server = await fakeServer(speak(33))
      closing.push(server)
      const { transport } = await listen()

      await expect(dial(transport, proposingUpgrader(), `/ip4/127.0.0.1/tcp/${server.port}`))
        .to.eventually.be.rejectedWith('the handshake failed')
      expect(server.accepted).to.equal(1)
    })

    it('takes the connection that the peer makes meanwhile', async () => {
      const server = await fakeServer(speak(32))
      closing.push(server)
      const theirs: any = { remoteAddr: multiaddr('/ip4/127.0.0.1/tcp/1'), remotePeer: PEER, status: 'open' }
      let failed = false
      const upgrader = proposingUpgrader()
      const { transport } = await listen({}, undefined, {
        events: new TypedEventEmitter<any>(),
        connectionManager: { getConnections: () => failed ? [theirs] : [] }
      })
      const upgrade = upgrader.upgradeOutbound.bind(upgrader)
      upgrader.upgradeOutbound = async (maConn: any, options: any) => upgrade(maConn, options).catch(err => {
        failed = true
        throw err
      })

      expect(
        await transport.dial(multiaddr(`/ip4/127.0.0.1/tcp/${server.port}/p2p/${PEER}`), {
          upgrader,
          signal: AbortSignal.timeout(5_000)
        })
      ).to.equal(theirs)
      expect(server.accepted).to.equal(1)
    })
  })

  it('reports its progress', async () => {
    const server = await remote()
    const { transport, upgrader } = await listen()
    const events: string[] = []
    const connection: any = await transport.dial(multiaddr(server.address), {
      upgrader,
      signal: AbortSignal.timeout(5_000),
      onProgress: (event: { type: string }) => { events.push(event.type) }
    } as any)
    connection.abort(new Error('done'))

    expect(events).to.deep.equal(['tcp:open-connection'])
  })

  it('filters the addresses that it can dial and listen on', () => {
    const transport = tcpSTUN()(components())
    const good = [
      '/ip4/127.0.0.1/tcp/9090',
      '/ip6/::1/tcp/9090',
      '/dns4/example.org/tcp/443',
      '/unix/%2Ftmp%2Fsocket'
    ].map(ma => multiaddr(ma))
    const bad = [
      '/ip4/127.0.0.1/udp/9090',
      '/ip4/127.0.0.1/tcp/9090/http',
      '/ip4/127.0.0.1/tcp/9090/ws',
      '/ip4/127.0.0.1/tcp/9090/p2p/Qmb6owHp6eaWArVbcJJbQSyifyJBttMMjYV76N2hMbf5Vw/p2p-circuit'
    ].map(ma => multiaddr(ma))

    expect(transport.dialFilter([...good, ...bad])).to.deep.equal(good)
    expect(transport.listenFilter([...good, ...bad])).to.deep.equal(good)
    expect(
      transport.dialFilter([multiaddr('/ip4/127.0.0.1/tcp/9090/p2p/Qmb6owHp6eaWArVbcJJbQSyifyJBttMMjYV76N2hMbf5Vw')])
    ).to.have.lengthOf(1)
  })
})

/**
 * Metrics that only see the refusals of punches
 */
function countRefusals (onRefusal: () => void): any {
  return {
    registerCounterGroup: () => ({
      increment: (events: Record<string, unknown>) => {
        if (events.punch_refused === true) {
          onRefusal()
        }
      }
    }),
    registerMetricGroup: () => ({ update: () => {}, increment: () => {}, reset: () => {} }),
    registerMetric: () => ({ update: () => {}, increment: () => {} })
  }
}
