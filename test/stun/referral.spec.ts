import { expect } from 'aegir/chai'
import { refuseReferral } from '../../src/stun/referral.ts'
import { NOT_GLOBAL } from '../fixtures/addresses.ts'

describe('referral', () => {
  const refuse = (named: string, by: string): string | undefined =>
    refuseReferral({ host: named, port: 3478 }, { host: by, port: 3478 })

  for (const [family, by] of [[4, '11.0.0.1'], [6, '2a00::1']] as const) {
    for (const host of NOT_GLOBAL[family]) {
      it(`a public server cannot send its clients to ${host}`, () => {
        expect(refuse(host, by)).to.match(/address/)
      })
    }
  }

  for (const [named, by, why] of [
    ['11.0.0.2', '11.0.0.1', undefined],
    ['2a00::2', '2a00::1', undefined],
    ['11.0.0.2', '192.168.0.1', undefined],
    ['10.0.0.1', '192.168.0.1', undefined],
    ['127.0.0.2', '127.0.0.1', undefined],
    ['127.0.0.1', '192.168.0.1', 'is a loopback address, named by a server that has none'],
    ['192.168.0.1', '127.0.0.1', 'is a private address, named by a server that has none'],
    ['224.0.0.1', '224.0.0.1', 'is a multicast address'],
    ['0.0.0.0', '127.0.0.1', 'is an unspecified address'],
    ['2a00::1', '11.0.0.1', 'has another address family']
  ] as const) {
    it(`${by} ${why == null ? 'can' : 'cannot'} send its clients to ${named}`, () => {
      expect(refuse(named, by)).to.equal(why)
    })
  }

  it('needs a port', () => {
    expect(refuseReferral({ host: '11.0.0.2', port: 0 }, { host: '11.0.0.1', port: 1 })).to.equal('has no port')
  })
})
