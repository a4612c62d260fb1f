import { expect } from 'aegir/chai'
import { concat } from 'uint8arrays'
import { MessageDecoder } from '../../src/stun/decoder.ts'
import { STUNProtocolError } from '../../src/stun/errors.ts'
import { METHOD_BINDING, createTransactionId, encodeMessage } from '../../src/stun/message.ts'

function request (software = ''): Uint8Array {
  return encodeMessage({
    class: 'request',
    method: METHOD_BINDING,
    transactionId: createTransactionId(),
    attributes: software === '' ? [] : [{ type: 'SOFTWARE', value: software }]
  })
}

describe('STUN decoder', () => {
  const messages = [request(), request('a'), request('abcdefgh'), request()]
  const stream = concat(messages)

  for (let size = 1; size <= stream.byteLength; size++) {
    it(`finds the messages in pieces of ${size}`, () => {
      const decoder = new MessageDecoder()
      const found: Uint8Array[] = []

      for (let i = 0; i < stream.byteLength; i += size) {
        found.push(...decoder.decode(stream.subarray(i, i + size)))
      }

      expect(found).to.have.lengthOf(messages.length)
      found.forEach((bytes, i) => { expect(bytes).to.equalBytes(messages[i]) })
      expect(decoder.bufferedLength).to.equal(0)
    })
  }

  for (const { title, bytes, after } of [
    { title: 'top bits', bytes: [0x80], after: 1 },
    { title: 'TLS', bytes: [0x16, 0x03, 0x01], after: 5 },
    { title: 'HTTP', bytes: [...Buffer.from('GET / HTTP/1.1')], after: 1 },
    { title: 'length', bytes: [0, 1, 0, 1], after: 4 },
    { title: 'first byte of the cookie', bytes: [0, 1, 0, 0, 0x20], after: 5 },
    { title: 'last byte of the cookie', bytes: [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x43], after: 8 },
    { title: 'too long', bytes: [0, 1, 0xff, 0xfc], after: 4 }
  ]) {
    it(`refuses at its first wrong byte: ${title}`, () => {
      const decoder = new MessageDecoder()
      let taken = 0

      try {
        for (const byte of [...bytes, ...new Uint8Array(20)]) {
          taken++
          expect([...decoder.decode(Uint8Array.of(byte))]).to.be.empty()
        }
      } catch (err: any) {
        expect(err).to.be.an.instanceOf(STUNProtocolError)
      }

      expect(taken).to.be.at.most(after)
      expect(decoder.bufferedLength).to.equal(0)
      expect(() => [...decoder.decode(request())]).to.throw(STUNProtocolError)
    })
  }

  it('takes messages up to the limit', () => {
    const [message] = [request('x'.repeat(76))]

    expect([...new MessageDecoder({ maxMessageLength: 100 }).decode(message)]).to.have.lengthOf(1)
    expect(() => [...new MessageDecoder({ maxMessageLength: 99 }).decode(message)]).to.throw(
      STUNProtocolError,
      '100 bytes'
    )
  })

  it('gives the messages before the error', () => {
    const found: Uint8Array[] = []

    expect(() => {
      for (const bytes of new MessageDecoder().decode(concat([messages[0], Uint8Array.of(0xff)]))) {
        found.push(bytes)
      }
    }).to.throw(STUNProtocolError)
    expect(found).to.have.lengthOf(1)
  })
})
