import { expect } from 'aegir/chai'
import { METHOD_BINDING, createTransactionId } from '../../src/stun/message.ts'
import { Transactions } from '../../src/stun/transactions.ts'
import type { MessageClass, STUNMessage } from '../../src/stun/message.ts'

function message (transactionId: Uint8Array, type: MessageClass = 'success', method = METHOD_BINDING): STUNMessage {
  return { class: type, method, transactionId, attributes: [] }
}

describe('STUN transactions', () => {
  it('match an answer to its request, once', () => {
    const transactions = new Transactions<string>()
    const [a, b] = [createTransactionId(), createTransactionId()]
    transactions.add(a, 'a')
    transactions.add(b, 'b')

    expect(transactions.receive(message(b))).to.deep.equal({ type: 'answer', request: 'b' })
    expect(transactions.receive(message(a, 'error'))).to.deep.equal({ type: 'answer', request: 'a' })
    expect(transactions.receive(message(a))).to.have.property('type', 'violation')
  })

  it('ignore the late answer to a request that was given up, once', () => {
    const transactions = new Transactions<string>()
    const id = createTransactionId()
    expect(transactions.abandon(transactions.add(id, 'late'))).to.equal(false)
    expect(transactions.receive(message(id))).to.deep.equal({ type: 'nothing' })
    expect(transactions.receive(message(id))).to.have.property('type', 'violation')
  })

  for (const [title, type, method] of [
    ['a request', 'request', METHOD_BINDING],
    ['an answer of another method', 'success', 3]
  ] as const) {
    it(`do not take ${title} for an answer`, () => {
      const transactions = new Transactions<string>()
      const id = createTransactionId()
      transactions.add(id, 'request')
      expect(transactions.receive(message(id, type, method))).to.have.property('type', 'violation')
    })
  }

  it('allow 16 indications between two answers', () => {
    const transactions = new Transactions<string>()
    const indicate = (): string => transactions.receive(message(createTransactionId(), 'indication')).type

    for (let round = 0; round < 3; round++) {
      const id = createTransactionId()
      transactions.add(id, 'request')
      expect(Array.from({ length: 16 }, indicate)).to.not.include('violation')
      expect(transactions.receive(message(id))).to.have.property('type', 'answer')
    }

    expect(Array.from({ length: 17 }, indicate).indexOf('violation')).to.equal(16)
  })

  it('tell when more than 16 requests were given up without an answer', () => {
    const transactions = new Transactions<number>()
    const abandon = (i: number): boolean => transactions.abandon(transactions.add(createTransactionId(), i))

    expect(Array.from({ length: 17 }, (_, i) => abandon(i)).indexOf(true)).to.equal(16)
  })

  it('are cleared of the requests that callers wait for', () => {
    const transactions = new Transactions<string>()
    transactions.add(createTransactionId(), 'waits')
    transactions.abandon(transactions.add(createTransactionId(), 'given up'))

    expect(transactions.clear()).to.deep.equal(['waits'])
    expect(transactions.clear()).to.deep.equal([])
  })
})
