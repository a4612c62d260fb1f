import { expect } from 'aegir/chai'
import { attestor, dcutr } from '../../src/dcutr/index.ts'
import type { DCUtRInit } from '../../src/dcutr/index.ts'

const PEER = '12D3KooWQgZPPKBL3kZg6d44ougupt6QytBKG17MG4Dm7YbyJP9b'
const NO_NUMBER = [NaN, Infinity, -Infinity, '5', true, {}]

describe('options of dcutr()', () => {
  for (const [name, values] of Object.entries<unknown[]>({
    timeout: [...NO_NUMBER, 0, -1, 2 ** 31],
    retries: [...NO_NUMBER, 0, -1, 1.5],
    maxUpgrades: [...NO_NUMBER, 0, -1, 1.5],
    backOff: [...NO_NUMBER, -1, 2 ** 31],
    maxInboundStreams: [...NO_NUMBER, 0, -1, 1.5],
    maxOutboundStreams: [...NO_NUMBER, 0, -1, 1.5],
    hardPunch: ['maybe', 'true', 1, 0],
    trustedPeers: [PEER, [`/p2p/${PEER}`], [''], [1], {}],
    trustedRelays: [PEER, [`/ip4/1.2.3.4/tcp/4001/p2p/${PEER}`], [undefined]]
  })) {
    for (const value of values) {
      it(`refuses ${name} = ${JSON.stringify(value) ?? String(value)} (${typeof value}), by name`, () => {
        expect(() => dcutr({ [name]: value }))
          .to.throw(`${name} must be `).with.property('name', 'InvalidParametersError')
      })
    }
  }

  it('says what is allowed', () => {
    expect(() => dcutr({ hardPunch: 'maybe' as any }))
      .to.throw('hardPunch must be one of true, false, wide, not "maybe"')
    expect(() => dcutr({ timeout: '5000' as any })).to.throw('a number of milliseconds above 0')
    expect(() => dcutr({ timeOut: 5_000 } as any))
      .to.throw(/There is no option timeOut, dcutr\(\) has .*\btimeout\b/)
      .with.property('name', 'InvalidParametersError')
  })

  for (const init of [null, 'wide', true]) {
    it(`refuses options that are ${init}`, () => {
      expect(() => dcutr(init as any))
        .to.throw('dcutr() must be an object').with.property('name', 'InvalidParametersError')
    })
  }

  it('takes all options, and those that are not given', () => {
    const options: Required<DCUtRInit> = {
      timeout: 0.5,
      retries: 1,
      maxUpgrades: 1,
      backOff: 0,
      hardPunch: 'wide',
      trustedPeers: [PEER],
      trustedRelays: [PEER],
      maxInboundStreams: 1,
      maxOutboundStreams: 1
    }

    expect(dcutr(options)).to.be.a('function')
    expect(dcutr({ timeout: undefined, hardPunch: undefined })).to.be.a('function')
    expect(dcutr()).to.be.a('function')
  })

  it('of attestor(): refuses what is no function, and what is unknown', () => {
    expect(() => attestor({ isProxy: '1.2.3.4' as any })).to.throw('isProxy must be a function')
    expect(() => attestor({ proxies: [] } as any)).to.throw('There is no option proxies, attestor() has isProxy')
  })
})
