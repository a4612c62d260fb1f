import { randomBytes } from 'node:crypto'
import { expect } from 'aegir/chai'
import { createSniff } from '../../src/websockets/sniff.ts'
import { seededRandom } from '../fixtures/seeded-random.ts'

const BINDING = Buffer.from('000100002112a442000102030405060708090a0b', 'hex')
const UPGRADE = Buffer.from('GET / HTTP/1.1\r\nHost: 192.0.2.1:4001\r\nUpgrade: websocket\r\n\r\n')
// what Chromium and OpenSSL begin with: the record's length, the type and length of the message, version 3.3
const CLIENT_HELLO = Buffer.from('16030106e2010006de0303' + '5a'.repeat(40), 'hex')
const MULTISTREAM = Buffer.from('\x13/multistream/1.0.0\n')

describe('sniff', () => {
  describe('in a public network', () => {
    const sniff = createSniff({ isPrivate: false, hasSTUN: true })

    for (const { name, bytes, protocol, needs } of [
      { name: 'multistream-select', bytes: MULTISTREAM, protocol: 'libp2p', needs: 1 },
      { name: 'a ClientHello', bytes: CLIENT_HELLO, protocol: 'tls', needs: 3 },
      { name: 'an upgrade to WebSocket', bytes: UPGRADE, protocol: 'http', needs: 3 },
      { name: 'a POST', bytes: Buffer.from('POST /form HTTP/1.1\r\n'), protocol: 'http', needs: 3 },
      { name: 'a PUT', bytes: Buffer.from('PUT /file HTTP/1.1\r\n'), protocol: 'http', needs: 3 },
      {
        name: 'the preface of HTTP/2',
        bytes: Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
        protocol: 'http',
        needs: 3
      },
      { name: 'a STUN Binding request', bytes: BINDING, protocol: 'stun', needs: 8 },
      {
        name: 'STUN of RFC 3489, without a cookie',
        bytes: Buffer.from('0001000000112233', 'hex'),
        protocol: 'libp2p',
        needs: 5
      },
      { name: 'SSL 2', bytes: Buffer.from('802e0100020015', 'hex'), protocol: 'libp2p', needs: 1 },
      { name: 'TLS of a version that there is not', bytes: Buffer.from('160304', 'hex'), protocol: 'libp2p', needs: 3 },
      { name: 'a word that is no method', bytes: Buffer.from('GIT clone'), protocol: 'libp2p', needs: 2 },
      { name: 'a method in lower case', bytes: Buffer.from('get / HTTP/1.1'), protocol: 'libp2p', needs: 1 }
    ]) {
      it(`knows ${name} by ${needs} of its bytes`, () => {
        for (let length = 0; length <= bytes.byteLength; length++) {
          expect(sniff(bytes.subarray(0, length)), `${length} bytes`).to.equal(length < needs ? undefined : protocol)
        }
      })
    }

    it('takes STUN for libp2p where nobody expects it', () => {
      expect(createSniff({ isPrivate: false, hasSTUN: false })(BINDING.subarray(0, 1))).to.equal('libp2p')
    })
  })

  describe('in a private network', () => {
    const sniff = createSniff({ isPrivate: true, hasSTUN: true })

    for (const { name, bytes, protocol } of [
      { name: 'a ClientHello', bytes: CLIENT_HELLO, protocol: 'tls' },
      { name: 'an upgrade to WebSocket', bytes: UPGRADE, protocol: 'http' },
      { name: 'a STUN Binding request', bytes: BINDING, protocol: 'stun' }
    ]) {
      it(`knows ${name} by 24 bytes at most`, () => {
        expect(sniff(bytes.subarray(0, 24))).to.equal(protocol)
      })

      it(`is not sure before it has seen enough of ${name}`, () => {
        for (let length = 0; length < 8; length++) {
          expect(sniff(bytes.subarray(0, length))).to.equal(undefined)
        }
      })
    }

    it('takes no nonce for anything else, also one that begins like something else', () => {
      const random = seededRandom(17)
      const wrong: string[] = []
      const starts = [CLIENT_HELLO, UPGRADE, BINDING, Buffer.from('POST /')]

      for (let i = 0; i < 100_000; i++) {
        const nonce = Buffer.from(randomBytes(24))
        const start = starts[i % starts.length].subarray(0, Math.floor(7 * random()))
        nonce.set(start)
        // a nonce may be read in two pieces
        const early = sniff(nonce.subarray(0, 1 + Math.floor(23 * random())))

        if ((early != null && early !== 'libp2p') || sniff(nonce) !== 'libp2p') {
          wrong.push(nonce.toString('hex'))
        }
      }

      expect(wrong).to.deep.equal([])
    })

    it('takes a nonce for something else in less than one of 2^48 connections', () => {
      // measured on the signatures: how many of the values of each byte fit
      const fitting = (example: Buffer): number => {
        let bits = 0

        for (let at = 0; at < 24; at++) {
          const before = sniff(example.subarray(0, at))

          if (before != null) {
            break
          }

          let fits = 0

          for (let value = 0; value < 256; value++) {
            const bytes = Buffer.from(example.subarray(0, at + 1))
            bytes[at] = value
            fits += sniff(bytes) === 'libp2p' ? 0 : 1
          }

          bits += Math.log2(256 / fits)
        }

        return bits
      }

      expect(fitting(CLIENT_HELLO)).to.be.greaterThan(48)
      expect(fitting(UPGRADE)).to.be.greaterThan(48)
      expect(fitting(BINDING)).to.be.greaterThan(48)
    })
  })
})
