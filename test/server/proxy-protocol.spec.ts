import { expect } from 'aegir/chai'
import { fromString } from 'uint8arrays'
import { createSTUNServer } from '../../src/server/index.ts'
import { networkMatcher, parseProxyHeader } from '../../src/server/proxy-protocol.ts'
import { getAttribute } from '../../src/stun/message.ts'
import { onLoopback } from '../fixtures/on-loopback.ts'
import { request } from '../fixtures/raw-client.ts'
import type { Endpoint } from '../../src/address/endpoint.ts'
import type { STUNMessage } from '../../src/stun/message.ts'

const HOST = '127.0.0.1'
const TRUSTED = { trustedProxies: ['127.0.0.0/29', '::1'] }

const V2 = fromString('0d0a0d0a000d0a515549540a', 'base16')
const v2 = (hex: string): Uint8Array => Buffer.concat([V2, fromString(hex.replaceAll(' ', ''), 'base16')])
const line = (text: string): Uint8Array => Buffer.from(`${text}\r\n`)

const mapped = (message: STUNMessage): Endpoint | undefined => getAttribute(message, 'XOR-MAPPED-ADDRESS')?.address
const origin = (message: STUNMessage): Endpoint | undefined => getAttribute(message, 'RESPONSE-ORIGIN')?.address

describe('STUN server, PROXY protocol', () => {
  const { certificate, connect, start } = onLoopback(createSTUNServer)

  const GOOD: Record<string, { header: Uint8Array; source?: Endpoint; destination?: Endpoint }> = {
    'v1 over IPv4': {
      header: line('PROXY TCP4 11.0.0.1 12.0.0.2 1234 3478'),
      source: { host: '11.0.0.1', port: 1_234 },
      destination: { host: '12.0.0.2', port: 3_478 }
    },
    'v1 over IPv6': {
      header: line('PROXY TCP6 2A00:0::1 2a00::2 65535 1'),
      source: { host: '2a00::1', port: 65_535 },
      destination: { host: '2a00::2', port: 1 }
    },
    'v1 UNKNOWN': { header: line('PROXY UNKNOWN') },
    'v1 UNKNOWN with addresses': { header: line('PROXY UNKNOWN ffff:f...f:ffff ffff 65535 65535') },
    'v2 over IPv4': {
      header: v2('2111000c 0b000001 0c000002 04d2 0d96'),
      source: { host: '11.0.0.1', port: 1_234 },
      destination: { host: '12.0.0.2', port: 3_478 }
    },
    'v2 with TLVs after the addresses': {
      header: v2('21110012 0b000001 0c000002 04d2 0d96 040003 000000'),
      source: { host: '11.0.0.1', port: 1_234 },
      destination: { host: '12.0.0.2', port: 3_478 }
    },
    'v2 over IPv6': {
      header: v2(`21210024 2a00${'0'.repeat(26)}01 2a00${'0'.repeat(26)}02 04d2 0d96`),
      source: { host: '2a00::1', port: 1_234 },
      destination: { host: '2a00::2', port: 3_478 }
    },
    'v2 LOCAL': { header: v2('20000000') },
    'v2 LOCAL with addresses': { header: v2('2011000c 0b000001 0c000002 04d2 0d96') },
    'v2 LOCAL of a Unix socket': { header: v2(`203100d8 ${'00'.repeat(216)}`) },
    'v2 UNSPEC': { header: v2('21000004 00000000') },
    'v2 UNSPEC with TLVs': { header: v2('21000007 040004 00000000') },
    'v2 with 1 500 bytes of TLVs': {
      header: v2(`211105eb 0b000001 0c000002 04d2 0d96 0405dc ${'00'.repeat(1_500)}`),
      source: { host: '11.0.0.1', port: 1_234 },
      destination: { host: '12.0.0.2', port: 3_478 }
    }
  }

  const BAD: Record<string, Uint8Array> = {
    'no header': request(),
    'another protocol': Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    'a line without an end': Buffer.from(`PROXY TCP4 ${'1'.repeat(96)}`),
    'a line of 108 bytes': line(`PROXY UNKNOWN ${'x'.repeat(92)}`),
    'a family that differs from the addresses': line('PROXY TCP6 11.0.0.1 12.0.0.2 1234 3478'),
    'an invalid address': line('PROXY TCP4 11.0.0.256 12.0.0.2 1234 3478'),
    'an invalid port': line('PROXY TCP4 11.0.0.1 12.0.0.2 65536 3478'),
    'a lower-case line': line('proxy TCP4 11.0.0.1 12.0.0.2 1234 3478'),
    'an octal address': line('PROXY TCP4 011.0.0.1 12.0.0.2 1234 3478'),
    'a zone': line('PROXY TCP6 fe80::1%1 ::1 1234 3478'),
    'a space at the end': line('PROXY TCP4 11.0.0.1 12.0.0.2 1234 3478 '),
    'two spaces': line('PROXY TCP4  11.0.0.1 12.0.0.2 1234 3478'),
    UDP: line('PROXY UDP4 11.0.0.1 12.0.0.2 1234 3478'),
    'version 1 in binary': v2('1111000c 0b000001 0c000002 04d2 0d96'),
    'an unknown command': v2('2211000c 0b000001 0c000002 04d2 0d96'),
    'v2 over UDP': v2('2112000c 0b000001 0c000002 04d2 0d96'),
    'a Unix socket': v2(`213100d8 ${'00'.repeat(216)}`),
    'truncated addresses': v2('2111000b 0b000001 0c000002 04d2 0d'),
    'a header of 65535 bytes': v2('2111ffff')
  }

  for (const [title, { header, source, destination }] of Object.entries(GOOD)) {
    for (const secure of [false, true]) {
      it(`uses the header of a trusted proxy: ${title}${secure ? ', then TLS' : ''}`, async () => {
        const cert = secure ? certificate() : undefined
        const server = await start({
          ...TRUSTED,
          tls: cert == null ? undefined : { ...cert, listen: [{ host: HOST, port: 0 }] }
        })
        const address = server.addresses[secure ? 1 : 0]
        const client = await connect({
          ...address,
          first: header,
          tls: cert == null ? undefined : { ca: cert.cert, host: 'localhost' }
        })
        const message = await client.ask()

        expect(mapped(message)).to.deep.equal(source ?? { host: HOST, port: client.socket.localPort })
        expect(origin(message)).to.deep.equal(destination ?? { host: HOST, port: address.port })
      })
    }

    it(`waits for the whole header, and takes none of the bytes after it: ${title}`, () => {
      const bytes = Buffer.concat([header, request()])

      for (let length = 0; length < header.byteLength; length++) {
        expect(parseProxyHeader(bytes.subarray(0, length))).to.deep.equal({ type: 'incomplete' })
      }

      expect(parseProxyHeader(bytes)).to.have.property('length', header.byteLength)
    })
  }

  for (const [title, header] of Object.entries({
    'v1, dotted': line('PROXY TCP6 ::ffff:11.0.0.1 ::ffff:12.0.0.2 1234 3478'),
    'v1, in groups': line('PROXY TCP6 0:0:0:0:0:FFFF:0b00:0001 ::ffff:c00:2 1234 3478'),
    v2: v2(`21210024 ${'0'.repeat(20)}ffff0b000001 ${'0'.repeat(20)}ffff0c000002 04d2 0d96`)
  })) {
    it(`treats an IPv4-mapped address as IPv4: ${title}`, async () => {
      const server = await start(TRUSTED)
      const message = await (await connect({ ...server.addresses[0], first: header })).ask()

      expect(mapped(message)).to.deep.equal({ host: '11.0.0.1', port: 1_234 })
      expect(origin(message)).to.deep.equal({ host: '12.0.0.2', port: 3_478 })
    })
  }

  it('limits IPv4-mapped clients by their IPv4 address, not as one IPv6 network', async () => {
    const server = await start({ ...TRUSTED, maxConnectionsPerSubnet: 1, maxNewConnectionsPerSecond: 1 })

    for (const i of [1, 2, 3]) {
      await (
        await connect({ ...server.addresses[0], first: line(`PROXY TCP6 ::ffff:11.0.0.${i} ::ffff:12.0.0.2 1 2`) })
      ).ask()
    }

    expect(server.counters.refused).to.include({ subnet: 0, rate: 0 })
  })

  it('accepts a header byte by byte, followed at once by a request', async () => {
    const server = await start(TRUSTED)
    const client = await connect(server.addresses[0])
    const answered = client.next()

    for (const byte of Buffer.concat([GOOD['v2 over IPv4'].header, request()])) {
      await new Promise<void>(resolve => { client.socket.write(Uint8Array.of(byte), () => { setImmediate(resolve) }) })
    }

    expect(mapped((await answered).message)).to.deep.equal({ host: '11.0.0.1', port: 1_234 })
  })

  for (const [title, bytes] of Object.entries(BAD)) {
    it(`resets a connection with ${title}`, async () => {
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
    it(`ignores the header of a client that is not trusted: ${title}`, async () => {
      const server = await start(TRUSTED)
      const spoofing = await connect({ ...server.addresses[0], localAddress: '127.0.0.8', first: GOOD[title].header })
      expect(await spoofing.closed).to.equal('ECONNRESET')
      expect(server.counters.resets['not-stun']).to.equal(1)

      const honest = await connect({ ...server.addresses[0], localAddress: '127.0.0.8' })
      expect(mapped(await honest.ask())).to.deep.equal({ host: '127.0.0.8', port: honest.socket.localPort })
    })
  }

  it('limits clients, not the proxy', async () => {
    const server = await start({ ...TRUSTED, maxConnectionsPerAddress: 1 })

    for (const i of [1, 2, 3]) {
      await (await connect({ ...server.addresses[0], first: line(`PROXY TCP4 11.0.0.${i} 12.0.0.2 1 2`) })).ask()
    }

    const second = await connect({ ...server.addresses[0], first: line('PROXY TCP4 11.0.0.1 12.0.0.2 3 4') })
    expect(await second.closed).to.equal('ECONNRESET')
    expect(server.counters.refused.address).to.equal(1)
  })

  it('matches addresses against networks', () => {
    const trusted = networkMatcher(['10.0.0.0/8', '192.168.1.1', '2a00::/16'])

    expect(['10.255.0.1', '192.168.1.1', '2a00:1::1'].every(trusted)).to.be.true()
    expect(['11.0.0.1', '192.168.1.2', '2a01::1'].some(trusted)).to.be.false()

    for (const bad of ['10.0.0.0/33', '::/129', 'example.org', '10.0.0.0/', '', 'fe80::1%eth0']) {
      expect(() => networkMatcher([bad])).to.throw('10.0.0.0/8').with.property('name', 'InvalidParametersError')
    }
  })
})
