import { expect } from 'aegir/chai'
import { otherEndpoints } from '../../src/stun/other-endpoints.ts'
import { NOT_GLOBAL } from '../fixtures/addresses.ts'

describe('other endpoints', () => {
  for (const [family, host] of [[4, '11.0.0.1'], [6, '2a00::1']] as const) {
    const server = { host, port: 3478 }

    for (const named of NOT_GLOBAL[family]) {
      it(`of a public server are not at ${named}`, () => {
        const otherAddress = { host: named, port: 3479 }
        // its port, at the address that is known to answer, may be
        expect(otherEndpoints(server, [], { otherAddress })).to.deep.equal([{ host, port: 3479 }])
        expect(otherEndpoints(server, [otherAddress], {})).to.deep.equal([])
      })
    }
  }

  it('are the other addresses of the name, OTHER-ADDRESS, and its port', () => {
    const server = { host: '11.0.0.1', port: 3478 }
    const resolved = [server, { host: '11.0.0.2', port: 3478 }]

    expect(otherEndpoints(server, resolved, { otherAddress: { host: '11.0.0.3', port: 3479 } })).to.deep.equal([
      { host: '11.0.0.2', port: 3478 },
      { host: '11.0.0.3', port: 3479 },
      { host: '11.0.0.1', port: 3479 }
    ])
  })
})
