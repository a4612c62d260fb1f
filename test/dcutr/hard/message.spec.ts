import { expect } from 'aegir/chai'
import { HardPunchMessage, MAX_MESSAGE_LENGTH, MAX_RANGES } from '../../../src/dcutr/hard/message.ts'
import { bytesField, varintField } from '../../../src/dcutr/protobuf.ts'

const MESSAGES: Array<[HardPunchMessage, string]> = [
  [
    { type: 'offer', host: '1.2.3.4', ranges: [{ from: 4_096, to: 4_607 }], connects: 32, probes: 64 },
    '0801' + '12050401020304' + '1a06' + '088020' + '10ff23' + '2020' + '2840'
  ],
  [
    { type: 'accept', endpoint: { host: '5.6.7.8', port: 4_001 }, probes: 64 },
    '0802' + '12080405060708060fa1' + '2840'
  ],
  [
    { type: 'accept', endpoint: { host: '5.6.7.8', port: 4_001 }, probes: 64, order: 'easy-first' },
    '0802' + '12080405060708060fa1' + '2840' + '3002'
  ],
  [{ type: 'refuse', reason: 'both-hard', text: 'no' }, '0803' + '4002' + '4a026e6f'],
  [
    { type: 'start', order: 'hard-first', ranges: [{ from: 40_000, to: 40_003 }], roundTrip: 40 },
    '0804' + '1a08' + '08c0b802' + '10c3b802' + '3001' + '3828'
  ],
  [{ type: 'probed' }, '0805'],
  [{ type: 'failed', reason: 'not-met', text: '' }, '0806' + '400c' + '4a00']
]

const OFFER = Buffer.from(MESSAGES[0][1], 'hex')
const range = (from: number, to: number): Uint8Array =>
  bytesField(3, Buffer.concat([varintField(1, from), varintField(2, to)]))

describe('hard punch message', () => {
  for (const [message, hex] of MESSAGES) {
    it(`encodes and decodes ${JSON.stringify(message)}`, () => {
      expect(Buffer.from(HardPunchMessage.encode(message)).toString('hex')).to.equal(hex)
      expect(HardPunchMessage.decode(Buffer.from(hex, 'hex'))).to.deep.equal(message)
    })
  }

  it('has room for the ranges of MAP-E, which are the most', () => {
    const ranges = Array.from({ length: MAX_RANGES }, (_, i) => ({ from: 1_024 + i * 1_000, to: 1_039 + i * 1_000 }))
    const bytes = HardPunchMessage.encode({ type: 'start', order: 'easy-first', ranges, roundTrip: 1_000 })

    expect(bytes.byteLength).to.be.at.most(MAX_MESSAGE_LENGTH)
    expect(HardPunchMessage.decode(bytes)).to.have.deep.property('ranges', ranges)
  })

  it('cuts a text that is long, and takes a reason of a later version for another one', () => {
    const bytes = HardPunchMessage.encode({ type: 'refuse', reason: 'busy', text: 'a'.repeat(5_000) })

    expect(bytes.byteLength).to.be.below(MAX_MESSAGE_LENGTH)
    expect(HardPunchMessage.decode(Buffer.concat([bytes, varintField(8, 999)]))).to.include({ reason: 'other' })
  })

  it('skips fields that it does not know', () => {
    expect(HardPunchMessage.decode(Buffer.concat([OFFER, varintField(30, 5), bytesField(31, OFFER)])))
      .to.deep.equal(MESSAGES[0][0])
  })

  for (const [title, bytes] of Object.entries<Uint8Array>({
    'no bytes': new Uint8Array(),
    'no type': varintField(4, 1),
    'the type 0': varintField(1, 0),
    'a type that is not known': varintField(1, 7),
    'an offer without an address': Buffer.concat([varintField(1, 1), varintField(4, 1), varintField(5, 1)]),
    'an offer without counts': OFFER.subarray(0, OFFER.byteLength - 4),
    'an offer with a port': Buffer.concat([OFFER, bytesField(2, Buffer.from('040102030406' + '0fa1', 'hex'))]),
    'an offer with an IPv6 address': Buffer.concat([
      OFFER,
      bytesField(2, Buffer.concat([Buffer.of(41), Buffer.alloc(16)]))
    ]),
    'an offer whose address is no multiaddr': Buffer.concat([OFFER, bytesField(2, Buffer.of(0xff, 1, 2))]),
    'an offer with a range that lacks an end': Buffer.concat([OFFER, bytesField(3, varintField(1, 5_000))]),
    'an offer with a range that is no message': Buffer.concat([OFFER, bytesField(3, Buffer.of(0xff))]),
    'an offer with 65 ranges': Buffer.concat([OFFER, ...Array.from({ length: MAX_RANGES }, () => range(5_000, 5_001))]),
    'an acceptance without a port': Buffer.concat([
      varintField(1, 2),
      bytesField(2, Buffer.of(4, 1, 2, 3, 4)),
      varintField(5, 1)
    ]),
    'a start without an order': Buffer.concat([varintField(1, 4), range(5_000, 5_001), varintField(7, 1)]),
    'a start with an order that is not known': Buffer.concat([varintField(1, 4), varintField(6, 3), varintField(7, 1)])
  })) {
    it(`refuses ${title}`, () => {
      expect(() => HardPunchMessage.decode(bytes)).to.throw().with.property('name', 'InvalidMessageError')
    })
  }

  it('survives every single changed byte, and every cut', () => {
    for (const [message] of MESSAGES) {
      const bytes = HardPunchMessage.encode(message)

      for (let i = 0; i < bytes.byteLength; i++) {
        for (const changed of [bytes.subarray(0, i), bytes.with(i, bytes[i] ^ 0x80), bytes.with(i, 0xff)]) {
          try {
            HardPunchMessage.decode(changed)
          } catch (err: any) {
            expect(err.name).to.equal('InvalidMessageError')
          }
        }
      }
    }
  })
})
