import { createHash, createHmac } from 'node:crypto'
import { expect } from 'aegir/chai'
import { fromString, toString } from 'uint8arrays'
import { STUNProtocolError } from '../../src/stun/errors.ts'
import { checkFingerprint } from '../../src/stun/fingerprint.ts'
import { checkIntegrity, shortTermKey } from '../../src/stun/integrity.ts'
import {
  METHOD_BINDING, createTransactionId, decodeMessage, encodeMessage, getAttribute
} from '../../src/stun/message.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import type { STUNMessage } from '../../src/stun/message.ts'

const hex = (text: string): Uint8Array => fromString(text, 'base16')
const ID = hex('b7e7a701bc34d686fa87dfae')

/**
 * RFC 5769, section 2
 */
const PASSWORD = 'VOkJxbRl1RmTxUk/WvJxBt'
const REQUEST =
  '000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff' +
  '80290008932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249' +
  'c1b571a280280004e57a3bcf'
const IPV4_RESPONSE =
  '0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643' +
  '000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96'
const IPV6_RESPONSE =
  '010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9fa' +
  'a5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c'

/**
 * RFC 5769, section 2.4: long-term credentials, the user name is "Matrix" in
 * katakana, the password "TheMatrIX" after SASLprep
 */
const LONG_TERM_REQUEST =
  '000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b900000015001c' +
  '662f2f3439396b39353464364f4c33346f4c394653547679363473410014000b6578616d706c652e6f72670000080014' +
  'f67024656dd64a3e02b8e0712e85c9a28ca89666'

function message (attributes: Attribute[], overrides: Partial<STUNMessage> = {}): STUNMessage {
  return { class: 'success', method: METHOD_BINDING, transactionId: ID, attributes, ...overrides }
}

describe('STUN message', () => {
  describe('RFC 5769', () => {
    it('2.1: request', () => {
      const bytes = hex(REQUEST)
      const decoded = decodeMessage(bytes)

      expect(decoded).to.have.property('class', 'request')
      expect(decoded).to.have.property('method', METHOD_BINDING)
      expect(decoded.transactionId).to.equalBytes(ID)
      expect(decoded.attributes.map(({ type }) => type)).to.deep.equal([
        'SOFTWARE',
        'UNKNOWN',
        'UNKNOWN',
        'USERNAME',
        'MESSAGE-INTEGRITY',
        'FINGERPRINT'
      ])
      expect(getAttribute(decoded, 'SOFTWARE')?.value).to.equal('STUN test client')
      expect(getAttribute(decoded, 'USERNAME')?.value).to.equal('evtj:h6vY')
      // PRIORITY and ICE-CONTROLLED are ICE's
      expect(
        decoded.attributes
          .filter(attribute => attribute.type === 'UNKNOWN')
          .map(({ code, value }) => [code, toString(value, 'base16')])
      ).to.deep.equal([
        [0x0024, '6e0001ff'],
        [0x8029, '932ff9b151263b36']
      ])
      expect(getAttribute(decoded, 'FINGERPRINT')?.crc).to.equal(0xe57a3bcf)
      expect(checkFingerprint(bytes)).to.be.true()
      expect(checkIntegrity(bytes, shortTermKey(PASSWORD))).to.be.true()
    })

    for (const { title, vector, host } of [
      { title: '2.2: IPv4 response', vector: IPV4_RESPONSE, host: '192.0.2.1' },
      { title: '2.3: IPv6 response', vector: IPV6_RESPONSE, host: '2001:db8:1234:5678:11:2233:4455:6677' }
    ]) {
      it(title, () => {
        const bytes = hex(vector)
        const decoded = decodeMessage(bytes)

        expect(decoded).to.have.property('class', 'success')
        expect(getAttribute(decoded, 'SOFTWARE')?.value).to.equal('test vector')
        expect(getAttribute(decoded, 'XOR-MAPPED-ADDRESS')?.address).to.deep.equal({ host, port: 32_853 })
        expect(checkFingerprint(bytes)).to.be.true()
        expect(checkIntegrity(bytes, shortTermKey(PASSWORD))).to.be.true()

        const rebuilt = encodeMessage(message([
          { type: 'SOFTWARE', value: 'test vector' },
          { type: 'XOR-MAPPED-ADDRESS', address: { host, port: 32_853 } }
        ]), { integrityKey: shortTermKey(PASSWORD), fingerprint: true })

        expect(rebuilt).to.have.lengthOf(bytes.byteLength)
        // the vector's only byte of padding is a space, and covered by both checks
        expect(bytes[35]).to.equal(0x20)
        expect(toString(rebuilt.subarray(0, -32), 'base16')).to.equal(
          vector.slice(0, 70) + '00' + vector.slice(72, -64)
        )
        expect(checkFingerprint(rebuilt)).to.be.true()
        expect(checkIntegrity(rebuilt, shortTermKey(PASSWORD))).to.be.true()
      })
    }

    it('2.4: request with long-term credentials', () => {
      const bytes = hex(LONG_TERM_REQUEST)
      const decoded = decodeMessage(bytes)
      const username = '\u30de\u30c8\u30ea\u30c3\u30af\u30b9'

      expect(getAttribute(decoded, 'USERNAME')?.value).to.equal(username)
      expect(getAttribute(decoded, 'REALM')?.value).to.equal('example.org')
      expect(getAttribute(decoded, 'NONCE')?.value).to.equal('f//499k954d6OL34oL9FSTvy64sA')
      // the key of long-term credentials (RFC 8489, section 9.2.2)
      const key = (password: string): Uint8Array =>
        createHash('md5').update(`${username}:example.org:${password}`).digest()
      expect(checkIntegrity(bytes, key('TheMatrIX'))).to.be.true()
      expect(checkIntegrity(bytes, key('TheMatrix'))).to.be.false()
    })

    it('notices every changed bit', () => {
      for (const vector of [REQUEST, IPV4_RESPONSE, IPV6_RESPONSE]) {
        const bytes = hex(vector)
        const integrityEnd = bytes.byteLength - 8

        for (let bit = 0; bit < bytes.byteLength * 8; bit++) {
          const tampered = bytes.slice()
          tampered[bit >> 3] ^= 1 << (bit & 7)
          expect(checkFingerprint(tampered)).to.equal(false, `bit ${bit}`)

          // the length of the header is not covered as it is, but as it was
          if (bit >> 3 < integrityEnd && bit >> 4 !== 1) {
            expect(checkIntegrity(tampered, shortTermKey(PASSWORD))).to.equal(false, `bit ${bit}`)
          }
        }
      }
    })
  })

  describe('attributes', () => {
    const addresses = [
      { host: '0.0.0.0', port: 0 },
      { host: '255.255.255.255', port: 65_535 },
      { host: '11.0.0.1', port: 4001 },
      { host: '::', port: 1 },
      { host: '::1', port: 2 },
      { host: '2a00:1450:4001::', port: 3 },
      { host: '2001:db8:0:1:1:1:1:1', port: 4 },
      { host: '2001:0:0:1::1', port: 5 },
      { host: '::ffff:11.0.0.1', port: 6 },
      { host: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', port: 7 }
    ]
    const attributes: Attribute[] = [
      ...addresses.flatMap(address =>
        (['MAPPED-ADDRESS', 'XOR-MAPPED-ADDRESS', 'ALTERNATE-SERVER', 'RESPONSE-ORIGIN', 'OTHER-ADDRESS'] as const).map(
          type => ({ type, address })
        )
      ),
      { type: 'USERNAME', value: 'a' },
      { type: 'REALM', value: '' },
      { type: 'NONCE', value: 'é'.repeat(381) },
      { type: 'SOFTWARE', value: 's'.repeat(763) },
      { type: 'ALTERNATE-DOMAIN', value: 'example.org' },
      { type: 'ERROR-CODE', code: 300, reason: '' },
      { type: 'ERROR-CODE', code: 699, reason: 'Nobody knows' },
      { type: 'UNKNOWN-ATTRIBUTES', codes: [] },
      { type: 'UNKNOWN-ATTRIBUTES', codes: [1, 0x7fff, 0xffff] },
      { type: 'USERHASH', value: new Uint8Array(32).fill(7) },
      { type: 'PASSWORD-ALGORITHM', value: Uint8Array.of(0, 2, 0, 0) },
      { type: 'PASSWORD-ALGORITHMS', value: Uint8Array.of(0, 2, 0, 0, 0, 1, 0, 0) },
      { type: 'CHANGE-REQUEST', changeIP: true, changePort: false },
      { type: 'CHANGE-REQUEST', changeIP: false, changePort: true },
      { type: 'PADDING', value: new Uint8Array(5) },
      { type: 'RESPONSE-PORT', port: 4001 },
      { type: 'UNKNOWN', code: 0x7ffe, value: Uint8Array.of(1) },
      { type: 'FINGERPRINT', crc: 0xffffffff }
    ]

    for (const attribute of attributes) {
      it(`${attribute.type} ${JSON.stringify(Object.values(attribute).slice(1)).slice(0, 60)} survives`, () => {
        const original = message([attribute])
        const decoded = decodeMessage(encodeMessage(original))

        expect(JSON.parse(JSON.stringify(decoded))).to.deep.equal(JSON.parse(JSON.stringify(original)))
      })
    }

    it('writes every byte, whatever was in the memory before', () => {
      const encode = (): string =>
        toString(encodeMessage(message(attributes.filter(({ type }) => type !== 'FINGERPRINT'))), 'base16')
      const before = encode()
      const { buffer, byteOffset, byteLength } = encodeMessage(message([]))
      // the memory that the next messages are written to
      new Uint8Array(buffer, byteOffset + byteLength).fill(0xff)

      expect(encode()).to.equal(before)
    })

    it('keeps the messages apart', () => {
      const texts = Array.from({ length: 3_000 }, (_, i) => 'x'.repeat(i % 700) + i)
      const encoded = texts.map(value => encodeMessage(message([{ type: 'SOFTWARE', value }])))

      expect(encoded.map(bytes => getAttribute(decodeMessage(bytes), 'SOFTWARE')?.value)).to.deep.equal(texts)
    })

    it('gives what it reads and writes as plain Uint8Arrays, also from Buffers', () => {
      const encoded = encodeMessage(message([{ type: 'UNKNOWN', code: 0x7ffe, value: Buffer.of(1, 2) }]))
      const { transactionId, attributes: [attribute] } = decodeMessage(Buffer.from(encoded))

      for (const bytes of [encoded, transactionId, (attribute as Attribute & { type: 'UNKNOWN' }).value]) {
        expect(Object.getPrototypeOf(bytes)).to.equal(Uint8Array.prototype)
      }
    })

    it('holds as much as its header can say, and no more', () => {
      const padding = (length: number): Attribute => ({ type: 'PADDING', value: new Uint8Array(length) })

      expect(encodeMessage(message([padding(65_524), padding(0)]))).to.have.lengthOf(20 + 65_532)

      for (const attributes of [
        [padding(65_529)],
        [padding(65_528), padding(0)],
        [padding(60_000), { type: 'UNKNOWN-ATTRIBUTES' as const, codes: new Array(10_000).fill(1) }]
      ]) {
        expect(() => encodeMessage(message(attributes)))
          .to.throw()
          .with.property('name', 'InvalidParametersError')
      }

      expect(() => encodeMessage(message([padding(65_524)]), { fingerprint: true }))
        .to.throw()
        .with.property('name', 'InvalidParametersError')
    })

    it('writes IPv6 in the form of RFC 5952, however it was given', () => {
      const decoded = decodeMessage(
        encodeMessage(
          message([{ type: 'MAPPED-ADDRESS', address: { host: '2001:0DB8:0000:0000:0001:0000:0000:0001', port: 1 } }])
        )
      )

      expect(getAttribute(decoded, 'MAPPED-ADDRESS')?.address.host).to.equal('2001:db8::1:0:0:1')
    })

    it('keeps every class and method', () => {
      for (const type of ['request', 'indication', 'success', 'error'] as const) {
        for (let method = 0; method <= 0xfff; method += 7) {
          expect(decodeMessage(encodeMessage(message([], { class: type, method })))).to.include({ class: type, method })
        }
      }
    })

    it('ignores what follows MESSAGE-INTEGRITY, and everything after FINGERPRINT', () => {
      const decoded = decodeMessage(encodeMessage(message([
        { type: 'MESSAGE-INTEGRITY', value: new Uint8Array(20) },
        { type: 'SOFTWARE', value: 'not covered' },
        { type: 'MESSAGE-INTEGRITY-SHA256', value: new Uint8Array(32) },
        { type: 'REALM', value: 'not covered' },
        { type: 'FINGERPRINT', crc: 0 },
        { type: 'NONCE', value: 'not covered' }
      ])))

      expect(decoded.attributes.map(({ type }) => type)).to.deep.equal([
        'MESSAGE-INTEGRITY',
        'MESSAGE-INTEGRITY-SHA256',
        'FINGERPRINT'
      ])
    })

    for (const attribute of [
      { type: 'XOR-MAPPED-ADDRESS', address: { host: 'example.org', port: 1 } },
      { type: 'XOR-MAPPED-ADDRESS', address: { host: 'fe80::1%lo', port: 1 } },
      ...[
        '',
        '1',
        '1.2.3',
        '1.2.3.',
        '1.2.3.4.',
        '.1.2.3',
        '1..2.3',
        '1.2.3.4.5',
        '1.2.3.256',
        '1.2.3.04',
        '1.2.3.00',
        '1.2.3.1000',
        '1.2.3.4294967300',
        '1.2.3.4 ',
        '1.2.3.-4',
        '1.2.3.a',
        '1.2.3:4',
        '::g'
      ].map(host => ({ type: 'XOR-MAPPED-ADDRESS', address: { host, port: 1 } })),
      { type: 'MAPPED-ADDRESS', address: { host: '11.0.0.1', port: 65_536 } },
      { type: 'MAPPED-ADDRESS', address: { host: '11.0.0.1', port: -1 } },
      { type: 'ERROR-CODE', code: 299, reason: '' },
      { type: 'ERROR-CODE', code: 700, reason: '' },
      { type: 'USERNAME', value: 'u'.repeat(509) },
      { type: 'SOFTWARE', value: 's'.repeat(764) },
      { type: 'PADDING', value: new Uint8Array(65_536) },
      { type: 'USERHASH', value: new Uint8Array(31) },
      { type: 'MESSAGE-INTEGRITY-SHA256', value: new Uint8Array(18) },
      { type: 'UNKNOWN', code: 0x10000, value: new Uint8Array(0) },
      { type: 'NO-SUCH-ATTRIBUTE', value: new Uint8Array(0) }
    ] as Attribute[]) {
      it(`refuses to send ${attribute.type} ${JSON.stringify(Object.values(attribute)[1]).slice(0, 60)}`, () => {
        expect(() => encodeMessage(message([attribute])))
          .to.throw()
          .with.property('name', 'InvalidParametersError')
      })
    }
  })

  describe('integrity', () => {
    const key = shortTermKey(PASSWORD)

    it('is an HMAC-SHA1, with keys of every length', () => {
      for (let length = 0; length < 200; length++) {
        const integrityKey = new Uint8Array(length).map((_, i) => 7 * i + length)
        const software: Attribute = { type: 'SOFTWARE', value: 'x'.repeat(length) }
        const covered = encodeMessage(message([software]))
        const bytes = encodeMessage(message([software]), { integrityKey })
        // the header counts the attribute
        covered.set(bytes.subarray(2, 4), 2)
        const hmac = createHmac('sha1', integrityKey).update(covered).digest()

        expect(bytes.subarray(covered.byteLength + 4)).to.equalBytes(hmac)
      }
    })

    it('is wrong with another key, and absent without one', () => {
      const bytes = encodeMessage(message([{ type: 'SOFTWARE', value: 'x' }]), { integrityKey: key, fingerprint: true })
      expect(checkIntegrity(bytes, key)).to.be.true()
      expect(checkIntegrity(bytes, shortTermKey('other'))).to.be.false()
      expect(checkFingerprint(bytes)).to.be.true()

      const without = encodeMessage(message([]))
      expect(checkIntegrity(without, key)).to.be.false()
      expect(checkFingerprint(without)).to.be.false()
    })

    it('is not read from an attribute of another length', () => {
      const bytes = encodeMessage(message([{ type: 'UNKNOWN', code: 0x0008, value: new Uint8Array(16) }]))
      expect(checkIntegrity(bytes, key)).to.be.false()
      expect(checkIntegrity(encodeMessage(message([]), { integrityKey: key }).subarray(0, -4), key)).to.be.false()
    })

    it('prepares passwords', () => {
      expect(shortTermKey('a\u00a0b')).to.equalBytes(shortTermKey('a b'))
      expect(shortTermKey('e\u0301')).to.equalBytes(shortTermKey('\u00e9'))
    })
  })

  describe('hostile input', () => {
    const header = '010100082112a442b7e7a701bc34d686fa87dfae'

    for (const [title, bytes] of Object.entries({
      'nothing at all': '',
      'half a header': header.slice(0, 20),
      'top bits set': `8${header.slice(1)}0001000400000000`,
      'wrong cookie': header.replace('2112a442', '2112a443') + '0001000400000000',
      'length not a multiple of 4': header.replace('0008', '0007') + '00010003000000',
      'length too long': header.replace('0008', '000c') + '0001000400000000',
      'length too short': header.replace('0008', '0004') + '0001000400000000',
      'attribute overruns by one': `${header}802200050000000000`.slice(0, 56),
      'attribute of 65535 bytes': `${header}8022ffff00000000`,
      'address without a port': `${header}0001000200010000`,
      'address of family 0': `${header.replace('0008', '000c')}000100080000000000000000`,
      'IPv6 address of 8 bytes': `${header.replace('0008', '000c')}000100080002000000000000`,
      'error code of class 7': `${header}0009000400000700`,
      'error code of class 2': `${header}0009000400000263`,
      'error code number 100': `${header}0009000400000464`,
      'fingerprint of 3 bytes': `${header}8028000300000000`,
      'odd unknown attributes': `${header}000a000300000000`,
      'integrity of 4 bytes': `${header}0008000400000000`,
      'user hash of 4 bytes': `${header}001e000400000000`
    })) {
      it(title, () => {
        expect(() => decodeMessage(hex(bytes))).to.throw(STUNProtocolError)
      })
    }

    it('any padding will do', () => {
      const bytes = encodeMessage(message([{ type: 'SOFTWARE', value: 'abc' }]))
      bytes[bytes.byteLength - 1] = 0xff

      expect(getAttribute(decodeMessage(bytes), 'SOFTWARE')?.value).to.equal('abc')
    })

    it('random bytes behind good headers throw nothing else', () => {
      let seed = 42
      const random = (max: number): number => {
        seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
        return Math.floor(seed / 2 ** 32 * max)
      }
      const codes = [
        1, 3, 6, 8, 9, 0x0a, 0x14, 0x15, 0x1c, 0x1d, 0x1e, 0x20, 0x26, 0x27, 0x8002, 0x8003, 0x8022, 0x8023, 0x8028,
        0x802b, 0x802c, 0xffff
      ]
      let decodes = 0

      for (let i = 0; i < 50_000; i++) {
        const body = new Uint8Array(4 * random(30)).map(() => random(256))

        if (body.byteLength > 4) {
          const code = codes[random(codes.length)]
          body.set([code >> 8, code, 0, random(body.byteLength + 4)])
        }

        const bytes = Uint8Array.from([
          random(64),
          random(256),
          body.byteLength >> 8,
          body.byteLength,
          0x21,
          0x12,
          0xa4,
          0x42,
          ...ID,
          ...body
        ])

        try {
          const decoded = decodeMessage(bytes)
          const again = decodeMessage(encodeMessage(decoded))
          decodes++
          expect(JSON.stringify(again)).to.equal(JSON.stringify(decoded))
        } catch (err: any) {
          // text that is no UTF-8 grows when it is written again
          if (err.name !== 'InvalidParametersError') {
            expect(err).to.be.an.instanceOf(STUNProtocolError)
          }
        }

        checkFingerprint(bytes)
        checkIntegrity(bytes, ID)
      }

      expect(decodes).to.be.greaterThan(1_000)
    })
  })

  it('leaves the bytes that it decodes as they are, Buffers too', () => {
    const bytes = Buffer.from(IPV4_RESPONSE, 'hex')
    decodeMessage(bytes)

    expect(bytes.toString('hex')).to.equal(IPV4_RESPONSE)
  })

  it('has random transaction ids', () => {
    expect(createTransactionId()).to.have.lengthOf(12)
    expect(createTransactionId()).to.not.equalBytes(createTransactionId())
  })
})
