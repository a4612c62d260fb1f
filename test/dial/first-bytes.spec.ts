import { expect } from 'aegir/chai'
import { isFromInitiator } from '../../src/dial/first-bytes.ts'

const frame = (text: string): Buffer => Buffer.from(`${String.fromCharCode(text.length + 1)}${text}\n`, 'latin1')
const noise = (length: number): Buffer =>
  Buffer.concat([Buffer.from([length >>> 8, length & 0xff]), Buffer.alloc(length, 7)])
const tls = (type: number): Buffer => Buffer.from([22, 3, 1, 0, 100, type, 0, 0, 96])
const HEADER = frame('/multistream/1.0.0')
const NOISE = frame('/noise')
const TLS = frame('/tls/1.0.0')
const NA = frame('na')

describe('first bytes of a failed handshake', () => {
  for (const [title, bytes] of Object.entries({
    'the first message of Noise': [HEADER, NOISE, noise(32)],
    'a ClientHello': [HEADER, TLS, tls(1)],
    'a second proposal': [HEADER, TLS, NOISE],
    'a reset right after the proposal': [HEADER, NOISE],
    'a proposal of another protocol': [HEADER, TLS]
  })) {
    it(`are an initiator's with ${title}`, () => {
      expect(isFromInitiator(Buffer.concat(bytes))).to.equal(true)
    })
  }

  for (const [title, bytes] of Object.entries({
    nothing: [],
    'a header alone': [HEADER],
    'a refusal': [HEADER, NA],
    'the second message of Noise': [HEADER, NOISE, noise(200)],
    'the second message of Noise after a refusal': [HEADER, NA, NOISE, noise(200)],
    'a ServerHello': [HEADER, TLS, tls(2)],
    'another protocol': [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    'random bytes': [Buffer.from([19, 1, 2, 3, 255, 0, 22, 3, 1])],
    'a cut header': [HEADER.subarray(0, 10)]
  })) {
    it(`are not an initiator's with ${title}`, () => {
      expect(isFromInitiator(Buffer.concat(bytes))).to.equal(false)
    })
  }
})
