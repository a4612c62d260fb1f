import { readFileSync } from 'node:fs'
import tls from 'node:tls'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { fromString } from 'uint8arrays'
import { Admission } from '../../../src/server/admission.ts'
import { validateLimits } from '../../../src/server/limits.ts'
import { otherAddress } from '../../../src/server/other-address.ts'
import { networks, parseProxyHeader } from '../../../src/server/proxy-protocol.ts'
import { getAttribute } from '../../../src/stun/message.ts'
import { createCertificate } from '../../../test/fixtures/certificate.ts'
import { closesAfterEach } from '../../../test/fixtures/cleanup.ts'
import { rawClient, request } from '../../../test/fixtures/raw-client.ts'
import { waitUntil } from '../../../test/fixtures/wait-until.ts'
import { createSTUNServer, serveMetrics } from '../src/server/index.ts'
import { EventForwarder } from '../src/server/worker-events.ts'
import type { Endpoint } from '../../../src/address/endpoint.ts'
import type { STUNServer, STUNServerInit } from '../../../src/server/index.ts'
import type { STUNMessage } from '../../../src/stun/message.ts'
import type { RawClient, RawClientInit } from '../../../test/fixtures/raw-client.ts'

const EVENT = { timeout: 10_000 }
const HOST = '127.0.0.1'
const TRUSTED = { trustedProxies: ['127.0.0.0/29', '::1'] }

const V2 = fromString('0d0a0d0a000d0a515549540a', 'base16')
const v2 = (hex: string): Uint8Array => Buffer.concat([V2, fromString(hex.replaceAll(' ', ''), 'base16')])
const line = (text: string): Uint8Array => Buffer.from(`${text}\r\n`)

const mapped = (message: STUNMessage): Endpoint | undefined => getAttribute(message, 'XOR-MAPPED-ADDRESS')?.address
const origin = (message: STUNMessage): Endpoint | undefined => getAttribute(message, 'RESPONSE-ORIGIN')?.address

describe('STUN server in production', () => {
  const { closing, closeLater } = closesAfterEach()

  async function start (init: STUNServerInit = {}): Promise<STUNServer> {
    const server = closeLater(createSTUNServer({ listen: [{ host: HOST, port: 0 }], ...init }))
    await server.listen()

    return server
  }

  async function connect (init: RawClientInit): Promise<RawClient> {
    return closeLater(await rawClient(init))
  }

  function certificate (): { key: string, cert: string } {
    const made = createCertificate()
    closing.push({ close: () => { made.remove() } })

    return { key: made.key, cert: made.cert }
  }

  describe('PROXY protocol', () => {
    const GOOD: Record<string, { header: Uint8Array, source?: Endpoint, destination?: Endpoint }> = {
      'v1 over IPv4': { header: line('PROXY TCP4 11.0.0.1 12.0.0.2 1234 3478'), source: { host: '11.0.0.1', port: 1_234 }, destination: { host: '12.0.0.2', port: 3_478 } },
      'v1 over IPv6': { header: line('PROXY TCP6 2A00:0::1 2a00::2 65535 1'), source: { host: '2a00::1', port: 65_535 }, destination: { host: '2a00::2', port: 1 } },
      'v1 UNKNOWN': { header: line('PROXY UNKNOWN') },
      'v1 UNKNOWN with more': { header: line('PROXY UNKNOWN ffff:f...f:ffff ffff 65535 65535') },
      'v2 over IPv4': { header: v2('2111000c 0b000001 0c000002 04d2 0d96'), source: { host: '11.0.0.1', port: 1_234 }, destination: { host: '12.0.0.2', port: 3_478 } },
      'v2 with more behind the addresses': { header: v2('21110012 0b000001 0c000002 04d2 0d96 040003 000000'), source: { host: '11.0.0.1', port: 1_234 }, destination: { host: '12.0.0.2', port: 3_478 } },
      'v2 over IPv6': { header: v2(`21210024 2a00${'0'.repeat(26)}01 2a00${'0'.repeat(26)}02 04d2 0d96`), source: { host: '2a00::1', port: 1_234 }, destination: { host: '2a00::2', port: 3_478 } },
      'v2 LOCAL': { header: v2('20000000') },
      'v2 UNSPEC': { header: v2('21000004 00000000') }
    }

    const BAD: Record<string, Uint8Array> = {
      'no header': request(),
      'another protocol': Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      'a line without end': Buffer.from(`PROXY TCP4 ${'1'.repeat(96)}`),
      'a line of 108 bytes': line(`PROXY UNKNOWN ${'x'.repeat(92)}`),
      'a family that differs from the addresses': line('PROXY TCP6 11.0.0.1 12.0.0.2 1234 3478'),
      'an address that is none': line('PROXY TCP4 11.0.0.256 12.0.0.2 1234 3478'),
      'a port that is none': line('PROXY TCP4 11.0.0.1 12.0.0.2 65536 3478'),
      'two spaces': line('PROXY TCP4  11.0.0.1 12.0.0.2 1234 3478'),
      UDP: line('PROXY UDP4 11.0.0.1 12.0.0.2 1234 3478'),
      'version 1 in binary': v2('1111000c 0b000001 0c000002 04d2 0d96'),
      'an unknown command': v2('2211000c 0b000001 0c000002 04d2 0d96'),
      'v2 over UDP': v2('2112000c 0b000001 0c000002 04d2 0d96'),
      'a Unix socket': v2(`213100d8 ${'00'.repeat(216)}`),
      'addresses that are cut': v2('2111000b 0b000001 0c000002 04d2 0d'),
      'a header of 65535 bytes': v2('2111ffff')
    }

    for (const [title, { header, source, destination }] of Object.entries(GOOD)) {
      for (const secure of [false, true]) {
        it(`believes a trusted proxy: ${title}${secure ? ', then TLS' : ''}`, async () => {
          const cert = secure ? certificate() : undefined
          const server = await start({ ...TRUSTED, tls: cert == null ? undefined : { ...cert, listen: [{ host: HOST, port: 0 }] } })
          const address = server.addresses[secure ? 1 : 0]
          const client = await connect({ ...address, first: header, tls: cert == null ? undefined : { ca: cert.cert, host: 'localhost' } })
          const message = await client.ask()

          expect(mapped(message)).to.deep.equal(source ?? { host: HOST, port: client.socket.localPort })
          expect(origin(message)).to.deep.equal(destination ?? { host: HOST, port: address.port })
        })
      }

      it(`waits for the rest, and takes no byte of what follows: ${title}`, () => {
        const bytes = Buffer.concat([header, request()])

        for (let length = 0; length < header.byteLength; length++) {
          expect(parseProxyHeader(bytes.subarray(0, length))).to.deep.equal({ type: 'incomplete' })
        }

        expect(parseProxyHeader(bytes)).to.have.property('length', header.byteLength)
      })
    }

    it('takes a header byte by byte, and a request right behind it', async () => {
      const server = await start(TRUSTED)
      const client = await connect(server.addresses[0])
      const answered = client.next()

      for (const byte of Buffer.concat([GOOD['v2 over IPv4'].header, request()])) {
        await new Promise<void>(resolve => { client.socket.write(Uint8Array.of(byte), () => { setImmediate(resolve) }) })
      }

      expect(mapped((await answered).message)).to.deep.equal({ host: '11.0.0.1', port: 1_234 })
    })

    for (const [title, bytes] of Object.entries(BAD)) {
      it(`resets what is malformed: ${title}`, async () => {
        const server = await start(TRUSTED)
        const client = await connect(server.addresses[0])
        client.socket.write(bytes)

        expect(await client.closed).to.equal('ECONNRESET')
        expect(server.counters.resets['proxy-header']).to.equal(1)
      })
    }

    it('resets a trusted proxy that sends no header in time', async () => {
      const server = await start({ ...TRUSTED, messageTimeout: 50 })
      const client = await connect(server.addresses[0])

      expect(await client.closed).to.equal('ECONNRESET')
    })

    for (const title of ['v1 over IPv4', 'v2 over IPv4']) {
      it(`does not believe anybody else: ${title}`, async () => {
        const server = await start(TRUSTED)
        const spoofing = await connect({ ...server.addresses[0], localAddress: '127.0.0.8', first: GOOD[title].header })
        expect(await spoofing.closed).to.equal('ECONNRESET')
        expect(server.counters.resets['not-stun']).to.equal(1)

        const honest = await connect({ ...server.addresses[0], localAddress: '127.0.0.8' })
        expect(mapped(await honest.ask())).to.deep.equal({ host: '127.0.0.8', port: honest.socket.localPort })
      })
    }

    it('limits the clients, not the proxy', async () => {
      const server = await start({ ...TRUSTED, maxConnectionsPerAddress: 1 })

      for (const i of [1, 2, 3]) {
        await (await connect({ ...server.addresses[0], first: line(`PROXY TCP4 11.0.0.${i} 12.0.0.2 1 2`) })).ask()
      }

      const second = await connect({ ...server.addresses[0], first: line('PROXY TCP4 11.0.0.1 12.0.0.2 3 4') })
      expect(await second.closed).to.equal('ECONNRESET')
      expect(server.counters.refused.address).to.equal(1)
    })

    it('knows networks', () => {
      const trusted = networks(['10.0.0.0/8', '192.168.1.1', '2a00::/16'])

      expect(['10.255.0.1', '192.168.1.1', '2a00:1::1'].every(trusted)).to.be.true()
      expect(['11.0.0.1', '192.168.1.2', '2a01::1'].some(trusted)).to.be.false()

      for (const bad of ['10.0.0.0/33', '::/129', 'example.org', '10.0.0.0/', '', 'fe80::1%eth0']) {
        expect(() => networks([bad])).to.throw('10.0.0.0/8').with.property('name', 'InvalidParametersError')
      }
    })
  })

  describe('OTHER-ADDRESS', () => {
    const four = ['11.0.0.1', '11.0.0.2'].flatMap(host => [3_478, 3_479].map(port => ({ host, port })))

    it('differs in address and port when it can', () => {
      expect(four.map(server => otherAddress(server, four))).to.deep.equal([...four].reverse())
    })

    it('differs in the address, or in the port', () => {
      expect(otherAddress(four[0], [four[0], four[1], four[2]])).to.deep.equal(four[2])
      expect(otherAddress(four[0], [{ host: '0.0.0.0', port: 3_478 }, { host: '0.0.0.0', port: 3_479 }])).to.deep.equal(four[1])
      expect(otherAddress(four[0], [four[0], { host: '::', port: 1 }])).to.equal(undefined)
    })
  })

  describe('limits', () => {
    const limits = validateLimits({ maxConnectionsPerAddress: 2, maxConnectionsPerSubnet: 3, maxNewConnectionsPerSecond: 10 })

    it('counts an IPv6 /64 as one', () => {
      const admission = new Admission(limits)
      const hosts = ['2a00::1', '2a00::1', '2a00::1', '2a00::2', '2a00::3', '2a00:0:0:1::1']

      expect(hosts.map(host => admission.admit(host, 0))).to.deep.equal([undefined, undefined, 'address', undefined, 'subnet', undefined])
      admission.release('2a00::1')
      expect(admission.admit('2a00::3', 0)).to.equal(undefined)
    })

    it('limits new connections a second, and forgets', () => {
      const admission = new Admission(limits)

      for (const host of ['11.0.0.1', '2a00::1']) {
        for (let i = 0; i < 10; i++) {
          expect(admission.admit(host, 5_000)).to.equal(undefined)
          admission.release(host)
        }

        expect(admission.admit(host, 5_000)).to.equal('rate')
      }

      expect(admission.admit('11.0.0.1', 5_100)).to.equal(undefined)
      admission.release('11.0.0.1')
      admission.admit('11.0.0.9', 9_000)
      expect(admission.size).to.equal(1)
    })

    it('lets go of one that never asked anything, when it is full', async () => {
      const server = await start({ maxConnections: 2 })
      const silent = await connect(server.addresses[0])
      const asked = await connect(server.addresses[0])
      await asked.ask()
      const third = await connect(server.addresses[0])

      await third.ask()
      expect(await silent.closed).to.equal('ECONNRESET')
      await asked.ask()
      expect(server.counters.resets.displaced).to.equal(1)
    })

    it('refuses while it has too much memory', async () => {
      const server = await start({ maxMemory: 1 })
      // before or after the client knows that it is connected
      const how = await connect(server.addresses[0]).then(async client => client.closed, err => err.code)

      expect(how).to.equal('ECONNRESET')
      expect(server.counters.refused.memory).to.equal(1)
    })

    it('gives a message its time once, not for each of its bytes', async () => {
      const server = await start({ messageTimeout: 300 })
      const client = await connect(server.addresses[0])
      const bytes = request([{ type: 'SOFTWARE', value: 'x'.repeat(760) }])
      let sent = 0
      const drip = setInterval(() => { client.socket.write(bytes.subarray(sent, ++sent)) }, 10)
      closing.push({ close: () => { clearInterval(drip) } })

      expect(await client.closed).to.be.oneOf(['ECONNRESET', 'EPIPE'])
      expect(server.counters.resets['message-timeout']).to.equal(1)
      expect(sent).to.be.lessThan(bytes.byteLength)
    })

    it('resets who does not shake hands for TLS', async () => {
      const server = await start({ listen: [], messageTimeout: 50, tls: { ...certificate(), listen: [{ host: HOST, port: 0 }] } })
      const client = await connect(server.addresses[0])
      await client.closed

      expect(server.counters.resets.tls).to.equal(1)
    })
  })

  describe('TLS', () => {
    async function subject (address: Endpoint): Promise<string> {
      const socket = tls.connect({ ...address, rejectUnauthorized: false })
      closing.push({ close: () => socket.destroy() })
      await pEvent(socket, 'secureConnect', EVENT)

      return socket.getPeerCertificate().fingerprint256
    }

    for (const workers of [0, 2]) {
      it(`takes another certificate, and connections go on: ${workers} workers`, async () => {
        const [first, second] = [certificate(), certificate()]
        const server = await start({ listen: [], workers, tls: { ...first, listen: [{ host: HOST, port: 0 }] } })
        const [address] = server.addresses
        const client = await connect({ ...address, tls: { ca: first.cert, host: 'localhost' } })
        await client.ask()
        const before = await subject(address)

        await expect(server.updateTLS({ key: first.key, cert: second.cert })).to.eventually.be.rejected()
        expect(await subject(address)).to.equal(before)

        await server.updateTLS(second)

        // a worker takes it as soon as it is told
        await waitUntil('the new certificate is served', async () => await subject(address) !== before)

        await client.ask()
      })
    }

    it('says that there is no TLS', async () => {
      await expect((await start()).updateTLS(certificate())).to.eventually.be.rejected().with.property('name', 'InvalidParametersError')
    })
  })

  describe('draining', () => {
    const alternate = { host: '11.0.0.9', port: 3_478 }

    for (const workers of [0, 2]) {
      it(`sends clients elsewhere, and ends with the last: ${workers} workers`, async () => {
        const server = await start({ workers, alternateServers: [{ host: '2a00::9', port: 1 }, alternate] })
        const [address] = server.addresses
        const clients = await Promise.all([1, 2, 3, 4].map(async () => connect(address)))
        await Promise.all(clients.map(async client => client.ask()))
        const drained = server.drain({ deadline: 60_000 })
        expect(server.state).to.equal('draining')

        for (const client of clients) {
          let message = await client.ask()

          // a worker drains as soon as it is told
          while (message.class === 'success') {
            message = await client.ask()
          }

          expect(getAttribute(message, 'ERROR-CODE')?.code).to.equal(300)
          expect(getAttribute(message, 'ALTERNATE-SERVER')?.address).to.deep.equal(alternate)
          client.socket.end()
        }

        await drained
        expect(server.state).to.equal('idle')
        expect(server.counters).to.have.nested.property('errors.300', 4)
        await expect(connect(address)).to.eventually.be.rejected().with.property('code', 'ECONNREFUSED')
      })
    }

    it('answers as ever where there is no other server, accepts nobody, and resets at the deadline', async () => {
      const server = await start({ alternateServers: [{ host: '2a00::9', port: 1 }] })
      const [address] = server.addresses
      const client = await connect(address)
      await client.ask()
      const drained = server.drain({ deadline: 200 })
      expect((await client.ask()).class).to.equal('success')
      await expect(connect(address)).to.eventually.be.rejected().with.property('code', 'ECONNREFUSED')
      expect(await client.closed).to.equal('ECONNRESET')
      await drained
      expect(server.counters.resets.closed).to.equal(1)
    })

    it('is over at once when it is aborted', async () => {
      const server = await start()
      const client = await connect(server.addresses[0])
      await client.ask()
      const controller = new AbortController()
      const drained = server.drain({ deadline: 60_000, signal: controller.signal })
      controller.abort()
      await drained
      expect(await client.closed).to.equal('ECONNRESET')
    })
  })

  describe('workers', () => {
    it('lose only their own connections when one dies, and it is replaced', async () => {
      const server = await start({ workers: 2 })
      const [address] = server.addresses
      const clients = await Promise.all(Array.from({ length: 20 }, async () => connect(address)))
      await Promise.all(clients.map(async client => client.ask()))
      const pids = server.workers
      expect(pids).to.have.lengthOf(2)
      const counted = (): boolean => server.counters.connections === 20 && server.counters.bindings === 20

      // workers report their counters in intervals
      await waitUntil('all clients are counted', counted)

      const exited = pEvent<'worker:exit', CustomEvent>(server, 'worker:exit', EVENT)
      const started = pEvent<'worker:start', CustomEvent>(server, 'worker:start', EVENT)
      process.kill(pids[0], 'SIGKILL')
      expect((await exited).detail).to.deep.equal({ pid: pids[0], cause: 'SIGKILL' })
      const left = server.counters.connections
      await started
      expect(server.workers).to.have.lengthOf(2).and.include(pids[1])
      expect(server.state).to.equal('listening')

      const alive = await Promise.all(clients.map(async client => Promise.race([client.closed.then(() => false), client.ask().then(() => true, () => false)])))
      expect(alive.filter(Boolean)).to.have.lengthOf(left)
      expect(left).to.be.within(1, 19)
      // what it counted is not forgotten
      expect(server.counters.bindings).to.be.at.least(20)

      await (await connect(address)).ask()
    })

    it('keep the limits together', async () => {
      const server = await start({ workers: 2, maxConnectionsPerAddress: 10 })
      const served = await Promise.all(Array.from({ length: 40 }, async () => connect(server.addresses[0]).then(async client => client.ask()).then(() => true, () => false)))

      expect(served.filter(Boolean).length).to.be.within(5, 10)
    })

    it('tell of single clients to who listens, before or after they started', async () => {
      const server = closeLater(createSTUNServer({ listen: [{ host: HOST, port: 0 }], workers: 2, maxConnectionsPerAddress: 4 }))
      const bound = pEvent<'binding', CustomEvent>(server, 'binding', EVENT)
      await server.listen()
      const [{ host, port }] = server.addresses

      const client = await connect({ host, port })
      await client.ask()
      expect((await bound).detail).to.deep.equal({ client: { host: HOST, port: client.socket.localPort }, server: { host, port }, transport: 'tcp' })

      const reset = pEvent<'reset', CustomEvent>(server, 'reset', EVENT)
      const stranger = await connect({ host, port })
      stranger.socket.write('GET / HTTP/1.1\r\n\r\n')
      expect((await reset).detail).to.deep.include({ client: { host: HOST, port: stranger.socket.localPort }, reason: 'not-stun' })

      const refused = pEvent<'refuse', CustomEvent>(server, 'refuse', EVENT)
      // some are reset before they are there
      await Promise.allSettled(Array.from({ length: 9 }, async () => connect({ host, port, localAddress: '127.0.0.2' })))
      expect((await refused).detail).to.deep.equal({ host: '127.0.0.2', reason: 'address' })
    })

    it('tell only of what is listened to', async () => {
      const server = await start()
      const passed: string[] = []
      const forwarder = new EventForwarder(server, (name, _, done) => {
        passed.push(name)
        done()
      })
      const ask = async (): Promise<void> => { await (await connect(server.addresses[0])).ask() }

      await ask()
      forwarder.watch(['reset'])
      await ask()
      expect(passed).to.deep.equal([])
      forwarder.watch(['binding', 'reset'])
      forwarder.watch(['binding', 'reset'])
      await ask()
      expect(passed).to.deep.equal(['binding'])
      forwarder.watch([])
      await ask()
      expect(passed).to.deep.equal(['binding'])
      expect(server.counters.bindings).to.equal(4)
    })

    it('leave out what is told faster than it goes out', async () => {
      const server = await start({ maxRequestsPerSecond: 10_000 })
      const dones: Array<() => void> = []
      new EventForwarder(server, (_, __, done) => { dones.push(done) }).watch(['binding'])
      const client = await connect(server.addresses[0])
      const ask = async (times: number): Promise<void> => {
        client.socket.write(Buffer.concat(Array.from({ length: times }, () => request())))

        for (let i = 0; i < times; i++) {
          await client.next()
        }
      }

      await ask(1_500)
      expect(dones).to.have.lengthOf(1_000)
      dones.forEach(done => { done() })
      await ask(1)
      expect(dones).to.have.lengthOf(1_001)
      expect(server.counters.bindings).to.equal(1_501)
    })

    it('say EADDRINUSE', async () => {
      const server = await start({ workers: 1 })
      const second = createSTUNServer({ workers: 1, listen: [server.addresses[0]] })

      await expect(second.listen()).to.eventually.be.rejected().with.property('code', 'EADDRINUSE')
      expect(second.state).to.equal('idle')
    })
  })

  describe('metrics', () => {
    for (const workers of [0, 2]) {
      it(`are for Prometheus, and health for load balancers: ${workers} workers`, async () => {
        const server = await start({ workers })
        const web = closeLater(await serveMetrics(server, { listen: { host: HOST, port: 0 } }))
        const get = async (path: string, init?: RequestInit): Promise<{ status: number, text: string }> => {
          const response = await fetch(`http://${HOST}:${web.address.port}${path}`, init)

          return { status: response.status, text: await response.text() }
        }
        const client = await connect(server.addresses[0])
        await client.ask()

        let text = ''

        // workers report their counters in intervals
        await waitUntil('the answer is counted', async () => {
          text = (await get('/metrics')).text

          return text.includes('tcp_stun_server_bindings_total 1\n')
        })

        expect(text).to.include('tcp_stun_server_connections 1\n')
        expect(text).to.include('tcp_stun_server_resets_total{reason="not-stun"} 0\n')
        expect(text).to.include(`tcp_stun_server_workers ${workers}\n`)
        expect(await get('/health')).to.include({ status: 200 })
        expect(await get('/nothing')).to.include({ status: 404 })
        expect(await get('/metrics', { method: 'POST' })).to.include({ status: 405 })

        const drained = server.drain({ deadline: 60_000 })
        expect(await get('/health')).to.include({ status: 503 })
        client.close()
        await drained
      })
    }
  })

  it('describes every limit in docs/server.md, with its default', () => {
    const text = readFileSync('docs/server.md', 'utf8')

    for (const [name, value] of Object.entries(validateLimits({}))) {
      expect(text).to.match(new RegExp(`\`${name}\`.*\\| ${value.toLocaleString('en').replaceAll(',', ' ')} \\|`))
    }
  })
})
