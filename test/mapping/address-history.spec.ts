import { expect } from 'aegir/chai'
import { NO_HISTORY, RETURN_WINDOW, recordAddress } from '../../src/mapping/address-history.ts'
import type { AddressHistory } from '../../src/mapping/address-history.ts'

const address = (host: number, port = 4001): string => `/ip4/11.0.0.${host}/tcp/${port}`
const [A, B, C] = [1, 2, 3].map(host => address(host))

function record (addresses: string[], every: number): AddressHistory {
  return addresses.reduce((history, address, i) => recordAddress(history, address, i * every), NO_HISTORY)
}

const CASES: Array<{ title: string; addresses: string[]; every?: number; isPooled: boolean }> = [
  { title: 'one address', addresses: [A, A, A, A], isPooled: false },
  { title: 'an address that returns once', addresses: [A, B, A], isPooled: false },
  { title: 'addresses that return twice', addresses: [A, B, A, B], isPooled: true },
  { title: 'a pool of three', addresses: [A, B, C, A, B], isPooled: true },
  {
    title: 'a pool with a new port for each connection',
    addresses: [address(1, 1), address(2, 2), address(1, 3), address(2, 4)],
    isPooled: true
  },
  {
    title: 'new ports of one address',
    addresses: [address(1, 1), address(1, 2), address(1, 3), address(1, 4)],
    isPooled: false
  },
  { title: 'ever new addresses', addresses: Array.from({ length: 50 }, (_, i) => address(i)), isPooled: false },
  {
    title: 'addresses that return after more than five minutes',
    addresses: [A, B, A, B, A, B],
    every: RETURN_WINDOW + 1,
    isPooled: false
  }
]

describe('address history', () => {
  for (const { title, addresses, every = 3_000, isPooled } of CASES) {
    it(`${title}: ${isPooled ? 'a pool' : 'no pool'}`, () => {
      expect(record(addresses, every).isPooled).to.equal(isPooled)
    })
  }

  it('believes an address again that stayed for five minutes', () => {
    const pooled = record([A, B, A, B], 3_000)
    expect(recordAddress(pooled, B, pooled.since + RETURN_WINDOW - 1).isPooled).to.equal(true)
    const quiet = recordAddress(pooled, B, pooled.since + RETURN_WINDOW)
    expect(quiet.isPooled).to.equal(false)
    expect(recordAddress(quiet, A, quiet.since + RETURN_WINDOW + 1).isPooled).to.equal(false)
  })

  it('is bounded', () => {
    expect(record(Array.from({ length: 200 }, (_, i) => address(i)), 1).past).to.have.lengthOf(16)
  })
})
