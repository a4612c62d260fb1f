import { expect } from 'aegir/chai'
import { CONNECT, HolePunch, SYNC } from '../../src/dcutr/message.ts'

const ADDRESS = Uint8Array.from([4, 1, 2, 3, 4, 6, 0x0f, 0xa1])

describe('HolePunch message', () => {
  // what `@libp2p/dcutr` and go-libp2p send
  for (const [title, message, hex] of [
    [
      'CONNECT',
      { type: CONNECT, addresses: [ADDRESS, ADDRESS] },
      '0864' + '1208040102030406' + '0fa1' + '1208040102030406' + '0fa1'
    ],
    ['SYNC', { type: SYNC, addresses: [] }, '08ac02']
  ] as const) {
    it(`encodes and decodes ${title}`, () => {
      expect(Buffer.from(HolePunch.encode({ ...message, addresses: [...message.addresses] })).toString('hex')).to.equal(
        hex
      )
      expect(HolePunch.decode(Buffer.from(hex, 'hex'))).to.deep.equal({
        ...message,
        addresses: message.addresses.map(bytes => Buffer.from(bytes))
      })
    })
  }

  it('skips fields that it does not know, of every wire type', () => {
    const bytes = Uint8Array.from([
      0x18, 0x96, 0x01, // 3: varint 150
      0x21, 1, 2, 3, 4, 5, 6, 7, 8, // 4: 64 bits
      0x2a, 2, 9, 9, // 5: 2 bytes
      0x35, 1, 2, 3, 4, // 6: 32 bits
      0x08, 0xac, 0x02 // 1: 300
    ])

    expect(HolePunch.decode(bytes)).to.deep.equal({ type: SYNC, addresses: [] })
  })

  for (const [title, bytes] of Object.entries({
    'a varint without an end': [0x08, 0xff],
    'a varint of eleven bytes': [0x08, ...new Array(10).fill(0xff), 1],
    'an address that is longer than the message': [0x12, 200, 1, 2, 3],
    'a length of 2^53': [0x12, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10],
    'a group': [0x1b, 0x1c],
    '64 bits that are cut': [0x21, 1, 2, 3]
  })) {
    it(`refuses ${title}`, () => {
      expect(() => HolePunch.decode(Uint8Array.from(bytes))).to.throw().with.property('name', 'InvalidMessageError')
    })
  }

  it('survives every single changed byte, and every cut', () => {
    const bytes = HolePunch.encode({ type: CONNECT, addresses: [ADDRESS, ADDRESS] })

    for (let i = 0; i < bytes.byteLength; i++) {
      for (const changed of [bytes.subarray(0, i), bytes.with(i, bytes[i] ^ 0x80), bytes.with(i, 0xff)]) {
        try {
          const { addresses } = HolePunch.decode(changed)

          expect(addresses.reduce((sum, { byteLength }) => sum + byteLength, 0)).to.be.at.most(changed.byteLength)
        } catch (err: any) {
          expect(err.name).to.equal('InvalidMessageError')
        }
      }
    }
  })
})
