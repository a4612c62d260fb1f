import { spawn } from 'node:child_process'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { createLibp2p } from 'libp2p'
import { pEvent } from 'p-event'
import { tcpSTUN } from '../../src/index.ts'
import { bindSocket } from '../../src/net/bound-socket.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { components, plainUpgrader, recordingAddressManager } from '../fixtures/components.ts'
import { recordErrors } from '../fixtures/record-errors.ts'
import { HOSTILE, mapped, mapsTo, stunServer } from '../fixtures/stun-servers.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import type { MappingStatus, TCPSTUNComponents, TCPSTUNInit } from '../../src/index.ts'
import type { PlainUpgrader } from '../fixtures/components.ts'
import type { Listener } from '@libp2p/interface'

const EVENT = { timeout: 10_000 }

describe('listener', () => {
  const { closeLater } = closesAfterEach()

  async function listen (
    init: TCPSTUNInit = {},
    address = '/ip4/127.0.0.1/tcp/0',
    overrides: Partial<TCPSTUNComponents> = {}
  ): Promise<{
    listener: Listener
    upgrader: PlainUpgrader
    statuses: MappingStatus[]
    addrs(): string[]
    port: number
  }> {
    const upgrader = plainUpgrader()
    const statuses: MappingStatus[] = []
    const transport = tcpSTUN({
      minReconnectInterval: 0,
      ...init,
      onMappingChange: status => { statuses.push(status) }
    })(components(overrides))
    const listener = closeLater(transport.createListener({ upgrader }))
    await listener.listen(multiaddr(address))
    const addrs = (): string[] => listener.getAddrs().map(String)

    return { listener, upgrader, statuses, addrs, port: Number(addrs().at(-1)?.split('/').at(-1)) }
  }

  it('works with a logger alone', async () => {
    const server = closeLater(await mapsTo('11.0.0.1', 4001))
    const { addrs, statuses } = await listen({ stunServers: [server.uri] })

    expect(addrs()).to.have.lengthOf(2)
    expect(addrs()[0]).to.equal('/ip4/11.0.0.1/tcp/4001')
    expect(addrs()[1]).to.match(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+$/)
    expect(statuses.map(({ state }) => state)).to.deep.equal(['mapped'])
  })

  it('never puts the external address last', async () => {
    const server = closeLater(await mapsTo('11.0.0.1', 4001))
    const { addrs } = await listen({ stunServers: [server.uri] }, '/ip4/0.0.0.0/tcp/0')

    expect(addrs()).to.include('/ip4/11.0.0.1/tcp/4001')
    expect(addrs().at(-1)).to.not.equal('/ip4/11.0.0.1/tcp/4001')
  })

  it('does not ask the internet for a loopback listener', async () => {
    const { statuses, addrs } = await listen({ stunServers: ['stun:11.0.0.1', 'stun:stun.example'] })

    expect(statuses).to.be.empty()
    expect(addrs()).to.have.lengthOf(1)
  })

  it('confirms the new address, withdraws the stale one, then says so', async () => {
    let port = 4001
    const server = closeLater(await stunServer(() => mapped('11.0.0.1', port)))
    const addressManager = recordingAddressManager()
    const { listener } = await listen({ stunServers: [server.uri] }, undefined, { addressManager })
    listener.addEventListener('listening', () => { addressManager.calls.push('listening') })
    expect(addressManager.calls[0]).to.equal('confirm /ip4/11.0.0.1/tcp/4001 600000')

    addressManager.calls.splice(0)
    port = 4002
    const changed = pEvent(listener, 'listening', EVENT)
    server.sockets.forEach(socket => { socket.resetAndDestroy() })
    await changed

    expect(addressManager.calls).to.deep.equal([
      'confirm /ip4/11.0.0.1/tcp/4002 600000',
      'remove /ip4/11.0.0.1/tcp/4001',
      'listening'
    ])
    await listener.close()
    expect(addressManager.calls.at(-1)).to.equal('remove /ip4/11.0.0.1/tcp/4002')
  })

  it('withdraws what no peer could use', async () => {
    let differ = false
    const a = closeLater(await stunServer(() => mapped('11.0.0.1', differ ? 4002 : 4001)))
    const b = closeLater(await stunServer(() => mapped('11.0.0.1', differ ? 4003 : 4001)))
    const addressManager = recordingAddressManager()
    const { listener, addrs } = await listen(
      { stunServers: [a.uri, b.uri], keepAliveInterval: 50, minReconnectInterval: 0 },
      undefined,
      { addressManager }
    )
    const withdrawn = pEvent(listener, 'listening', { ...EVENT, filter: () => addrs().length === 1 })
    differ = true
    // the address of a connection cannot change
    a.sockets.forEach(socket => { socket.resetAndDestroy() })
    b.sockets.forEach(socket => { socket.resetAndDestroy() })
    await withdrawn

    expect(addressManager.calls.at(-1)).to.equal('remove /ip4/11.0.0.1/tcp/4001')
  })

  it('leaves it to AutoNAT to confirm when told to', async () => {
    const server = closeLater(await mapsTo('11.0.0.1', 4001))
    const addressManager = recordingAddressManager()
    const { addrs } = await listen({ stunServers: [server.uri], announce: 'never' }, undefined, { addressManager })

    expect(addrs()).to.include('/ip4/11.0.0.1/tcp/4001')
    expect(addressManager.calls).to.be.empty()
  })

  for (const [title, { error, create }] of Object.entries(HOSTILE)) {
    it(`listens all the same with a server that ${title}, and says ${error}`, async () => {
      const server = closeLater(await create())
      const { addrs, statuses } = await listen({
        stunServers: [server.uri],
        mappingTimeout: title === 'is silent' ? 100 : 5_000
      })

      expect(addrs()).to.have.lengthOf(1)

      if (title === 'is silent') {
        // within the time that listen() waits it may still answer
        expect(statuses).to.be.empty()
        return
      }

      expect(statuses.at(-1)).to.have.nested.property('reason.name', error)
    })
  }

  for (const { title, stunServers, error } of [
    { title: 'no servers', stunServers: [], error: 'NoSTUNServersError' },
    { title: 'a name that does not exist', stunServers: ['stun:does-not-exist.invalid'], error: 'STUNResolveError' }
  ]) {
    it(`listens all the same with ${title}, and says ${error}`, async () => {
      const { addrs, statuses } = await listen({ stunServers }, '/ip4/0.0.0.0/tcp/0')

      expect(addrs()).to.not.be.empty()
      expect(statuses.map(status => 'reason' in status ? status.reason.name : status.state)).to.deep.equal([error])
    })
  }

  it('waits no longer than it is told for the first mapping', async () => {
    let answer = false
    const server = closeLater(await stunServer(() => answer ? mapped('11.0.0.1', 4001) : undefined))
    const { listener, addrs } = await listen({ stunServers: [server.uri], mappingTimeout: 0 })
    expect(addrs()).to.have.lengthOf(1)

    const mappedLater = pEvent(listener, 'listening', { ...EVENT, filter: () => addrs().length === 2 })
    answer = true
    server.sockets.forEach(socket => { socket.resetAndDestroy() })
    await mappedLater
  })

  it('survives an onMappingChange that throws', async () => {
    const server = closeLater(await mapsTo('11.0.0.1', 4001))
    const listener = closeLater(tcpSTUN({
      stunServers: [server.uri],
      onMappingChange: () => { throw new Error('Oh noes!') }
    })(components()).createListener({ upgrader: plainUpgrader() }))
    await listener.listen(multiaddr('/ip4/127.0.0.1/tcp/0'))

    expect(listener.getAddrs()).to.have.lengthOf(2)
  })

  for (const { title, reusePort } of [
    { title: 'for itself', reusePort: false },
    { title: 'to share', reusePort: true }
  ]) {
    it(`says EADDRINUSE when another listener has the port ${title}`, async () => {
      const other = closeLater(net.createServer())
      const listening = pEvent(other, 'listening', EVENT)

      if (reusePort) {
        bindSocket({ host: '127.0.0.1', port: 0 }).listen(other)
      } else {
        other.listen({ host: '127.0.0.1', port: 0 })
      }

      await listening
      const { port } = other.address() as net.AddressInfo

      await expect(listen({}, `/ip4/127.0.0.1/tcp/${port}`))
        .to.eventually.be.rejected()
        .with.property('code', 'EADDRINUSE')
    })
  }

  it('waits for a mapping for a fraction of a millisecond', async () => {
    const { addrs } = await listen({ stunServers: ['stun:127.0.0.1:9'], mappingTimeout: 0.5 })

    expect(addrs()).to.have.lengthOf(1)
  })

  it('says EADDRINUSE when it has the port itself', async () => {
    const { port, listener } = await listen()

    await expect(listen({}, `/ip4/127.0.0.1/tcp/${port}`))
      .to.eventually.be.rejected()
      .with.property('code', 'EADDRINUSE')
    await expect(listener.listen(multiaddr('/ip4/127.0.0.1/tcp/0')))
      .to.eventually.be.rejected()
      .with.property('name', 'AlreadyStartedError')

    // and the port is free again when it is closed
    await listener.close()
    await listen({}, `/ip4/127.0.0.1/tcp/${port}`)
  })

  it('listens on IPv4 and IPv6 at one port, each with a mapping of its own', async () => {
    const v4 = closeLater(await mapsTo('11.0.0.1', 4001))
    const v6 = closeLater(await stunServer(() => mapped('2a00::1', 4001), '::1'))
    const first = await listen({ stunServers: [v4.uri, v6.uri] })
    const second = await listen({ stunServers: [v4.uri, v6.uri] }, `/ip6/::1/tcp/${first.port}`)

    expect(first.addrs()[0]).to.equal('/ip4/11.0.0.1/tcp/4001')
    expect(second.addrs()[0]).to.equal('/ip6/2a00::1/tcp/4001')
  })

  it('listens on a Unix socket', async () => {
    const file = path.join(os.tmpdir(), `libp2p-tcp-stun-${process.pid}.sock`)
    const address = `/unix/${encodeURIComponent(file)}`
    const { addrs, upgrader } = await listen({}, address)
    expect(addrs()).to.deep.equal([address])

    const dialer = tcpSTUN()(components())
    const connection: any = await dialer.dial(multiaddr(address), { upgrader, signal: AbortSignal.timeout(5_000) })
    expect(connection.remoteAddr.toString()).to.equal(address)
    await connection.close()
  })

  for (const address of ['/ip4/127.0.0.1/tcp/0', '/ip6/::1/tcp/0', '/dns4/localhost/tcp/0']) {
    it(`rejects listen() when it is closed in the same tick: ${address}`, async () => {
      const listener = tcpSTUN({ stunServers: [] })(components()).createListener({ upgrader: plainUpgrader() })
      const listening = listener.listen(multiaddr(address))
      const closed = listener.close()

      await expect(listening).to.eventually.be.rejected().with.property('name', 'AbortError')
      await closed
      expect(listener.getAddrs()).to.be.empty()
      await expect(listener.listen(multiaddr(address)))
        .to.eventually.be.rejected()
        .with.property('name', 'AlreadyStartedError')
    })
  }

  it('frees the port when it is closed in the tick in which it begins to listen', async () => {
    const { port, listener } = await listen()
    await listener.close()
    const address = multiaddr(`/ip4/127.0.0.1/tcp/${port}`)
    const again = tcpSTUN({ stunServers: [] })(components()).createListener({ upgrader: plainUpgrader() })
    const listening = again.listen(address)
    await again.close()
    await expect(listening).to.eventually.be.rejected()

    const { addrs } = await listen({}, address.toString())
    expect(addrs()).to.deep.equal([address.toString()])
  })

  for (const { address, host, resolved } of [
    { address: '/dns4/localhost/tcp/0', host: '127.0.0.1', resolved: /^\/dns4\/localhost\/tcp\/[1-9]/ },
    { address: '/dns6/localhost/tcp/0', host: '::1', resolved: /^\/dns6\/localhost\/tcp\/[1-9]/ },
    { address: '/dns/localhost/tcp/0', host: '127.0.0.1', resolved: /^\/dns\/localhost\/tcp\/[1-9]/ }
  ]) {
    it(`listens on ${address}`, async () => {
      const { addrs, port, upgrader } = await listen({ stunServers: [] }, address)
      expect(addrs()).to.have.lengthOf(1)
      expect(addrs()[0]).to.match(resolved)

      const socket = net.connect({ host, port })
      closeLater({ close: () => socket.destroy() })
      await pEvent(socket, 'connect', EVENT)
      await waitUntil('the connection is accepted', () => upgrader.inbound.length === 1)
    })
  }

  it('says ENOTFOUND for a name that does not exist', async () => {
    await expect(listen({}, '/dns4/does-not-exist.invalid/tcp/0'))
      .to.eventually.be.rejected()
      .with.property('code', 'ENOTFOUND')
  })

  it('dispatches close once, and has no addresses then', async () => {
    const { listener, port } = await listen()
    let closes = 0
    listener.addEventListener('close', () => { closes++ })
    const socket = net.connect({ host: '127.0.0.1', port })
    socket.on('error', () => {})
    await pEvent(socket, 'connect', EVENT)
    const closed = pEvent(socket, 'close', { ...EVENT, rejectionEvents: [] })
    await listener.close()
    await listener.close()
    await closed

    expect(closes).to.equal(1)
    expect(listener.getAddrs()).to.be.empty()
  })

  it('resets a connection whose upgrade fails', async () => {
    const upgrader = plainUpgrader({ upgradeInbound: async () => { throw new Error('Oh noes!') } })
    const listener = closeLater(tcpSTUN()(components()).createListener({ upgrader }))
    await listener.listen(multiaddr('/ip4/127.0.0.1/tcp/0'))
    const socket = net.connect({ host: '127.0.0.1', port: Number(listener.getAddrs()[0].getComponents()[1].value) })
    const err = await pEvent<'error', NodeJS.ErrnoException>(socket, 'error', { ...EVENT, rejectionEvents: [] })

    expect(err.code).to.equal('ECONNRESET')
  })

  it('does not change the options it is given', async () => {
    const server = closeLater(await mapsTo('11.0.0.1', 4001))
    const init: TCPSTUNInit = Object.freeze({
      stunServers: Object.freeze([server.uri]) as string[],
      listenOpts: Object.freeze({}),
      dialOpts: Object.freeze({})
    })
    const upgrader = plainUpgrader()
    const transport = tcpSTUN(init)(components())
    const listener = closeLater(transport.createListener(Object.freeze({ upgrader })))
    await listener.listen(multiaddr('/ip4/127.0.0.1/tcp/0'))
    const connection: any = await transport.dial(
      listener.getAddrs()[1],
      Object.freeze({ upgrader, signal: AbortSignal.timeout(5_000) })
    )
    await connection.close()
  })

  it('announces nothing in libp2p without a server to reach, and says why once', async () => {
    const server = await mapsTo('11.0.0.1', 4001)
    await server.close()
    const statuses: MappingStatus[] = []
    const node = await createLibp2p({
      addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
      transports: [tcpSTUN({ stunServers: [server.uri], onMappingChange: status => { statuses.push(status) } })]
    })

    try {
      expect(node.getMultiaddrs()).to.have.lengthOf(1)
      expect(statuses.map(status => ('reason' in status ? status.reason.name : status.state))).to.deep.equal([
        'STUNConnectionError'
      ])
    } finally {
      await node.stop()
    }
  })

  it('logs that another program listens on its port', async function () {
    if (process.platform !== 'linux') {
      return this.skip()
    }

    const { log, errors } = recordErrors()
    const { port } = await listen({ stunServers: [] }, undefined, { logger: { forComponent: () => log } })
    // The kernel does not care whose process it is
    bindSocket({ host: '127.0.0.1', port }).listen(closeLater(net.createServer()))
    await waitUntil('there is an error in the log', () =>
      errors.some(text => text.startsWith(`another program listens on port ${port} too`))
    )
  })

  it('says once why there is nothing to announce, however many servers fail', async () => {
    const servers = await Promise.all(
      ['speaks HTTP', 'is not there', 'resets at once', 'gives a private address'].map(async title =>
        closeLater(await HOSTILE[title].create())
      )
    )
    const errors: string[] = []
    const log = Object.assign(() => {}, {
      error: (format: string) => { errors.push(format) },
      trace: () => {},
      newScope: () => log
    }) as any
    const { statuses } = await listen({ stunServers: servers.map(({ uri }) => uri) }, undefined, {
      logger: { forComponent: () => log }
    })

    expect(statuses.map(({ state }) => state)).to.deep.equal(['lost'])
    expect(statuses[0].failures.map(({ error }) => error.name)).to.have.members([
      'STUNProtocolError',
      'STUNConnectionError',
      'STUNConnectionError',
      'InvalidMappedAddressError'
    ])
    expect(errors).to.have.lengthOf(1)
  })

  it('announces the address in libp2p', async () => {
    const server = closeLater(await mapsTo('11.0.0.1', 4001))
    const node = await createLibp2p({
      addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
      transports: [tcpSTUN({ stunServers: [server.uri] })]
    })

    try {
      expect(node.getMultiaddrs().map(String)).to.include(`/ip4/11.0.0.1/tcp/4001/p2p/${node.peerId}`)
    } finally {
      await node.stop()
    }
  })

  for (const kind of ['transport', 'libp2p', 'webSockets']) {
    it(`lets the process end by itself when it is stopped: ${kind}`, async () => {
      const server = closeLater(await mapsTo('11.0.0.1', 4001))
      const program = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'fixtures', 'stopping-node.js')
      const child = spawn(process.execPath, [program, kind, server.uri], { stdio: ['ignore', 'pipe', 'inherit'] })
      const output: string[] = []
      child.stdout.on('data', chunk => { output.push(String(chunk)) })
      const code = await pEvent(child, 'close', EVENT)

      // the program ends itself with 1 when something is left
      expect({ code, output: output.join('') }).to.deep.equal({ code: 0, output: 'mapped\nstopped\n' })
    })
  }
})
