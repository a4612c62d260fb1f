import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { hasOtherAddress, isFromStranger } from '../../src/listen/stranger.ts'
import { NOT_GLOBAL } from '../fixtures/addresses.ts'
import type { InboundConnection, MappedHosts } from '../../src/listen/stranger.ts'

const MAPPED: MappedHosts = { external: '11.1.0.1', local: '192.168.1.2' }
const MAPPED_6: MappedHosts = { external: '2a10:a:1::2', local: '2a10:a:1::2' }
const STRANGER: InboundConnection = { remote: '11.0.0.9', local: '192.168.1.2', isContacted: false }
const EXTERNAL = multiaddr('/ip4/11.1.0.1/tcp/50123')

describe('stranger', () => {
  it('comes from another network, to the address that is mapped', () => {
    expect(isFromStranger(STRANGER, MAPPED)).to.equal(true)
    expect(
      isFromStranger({ remote: '2a00::9', local: '2a10:a:1::2', isContacted: false }, MAPPED_6)
    ).to.equal(true)
  })

  for (const { title, connection, mapped = MAPPED } of [
    { title: 'was contacted', connection: { isContacted: true } },
    { title: 'shares the public address, by hairpin', connection: { remote: '11.1.0.1' } },
    { title: 'is a neighbour at the carrier', connection: { remote: '11.1.0.7' } },
    { title: 'has come to another address of this machine', connection: { local: '192.168.7.2' } },
    { title: 'has come to an unknown address', connection: { local: '' } },
    { title: 'has left already', connection: { remote: '' } },
    {
      title: 'is in the same home, by IPv6',
      connection: { remote: '2a10:a:1:7::3', local: '2a10:a:1::2' },
      mapped: MAPPED_6
    }
  ] as Array<{ title: string, connection: Partial<InboundConnection>, mapped?: MappedHosts }>) {
    it(`is no host that ${title}`, () => {
      expect(isFromStranger({ ...STRANGER, ...connection }, mapped)).to.equal(false)
    })
  }

  for (const host of [...NOT_GLOBAL[4], ...NOT_GLOBAL[6]]) {
    it(`is not at ${host}`, () => {
      expect(isFromStranger({ ...STRANGER, remote: host }, MAPPED)).to.equal(false)
    })
  }
})

describe('another address that a stranger may have dialled', () => {
  const address = (ma: string, type: string, verified = false): any => ({ multiaddr: multiaddr(ma), type, verified })

  for (const { title, other, expected } of [
    { title: 'one that UPnP has mapped', other: address('/ip4/11.1.0.1/tcp/4001', 'ip-mapping'), expected: true },
    { title: 'one that is configured', other: address('/ip4/11.1.0.1/tcp/4001', 'announce', true), expected: true },
    {
      title: 'an observed one that is confirmed',
      other: address('/ip4/11.1.0.1/tcp/9', 'observed', true),
      expected: true
    },
    { title: 'not an observed one', other: address('/ip4/11.1.0.1/tcp/9', 'observed'), expected: false },
    {
      title: 'not that of a listener',
      other: address('/ip4/192.168.1.2/tcp/4001', 'transport', true),
      expected: false
    },
    { title: 'not the same one', other: address(EXTERNAL.toString(), 'announce', true), expected: false }
  ]) {
    it(`is ${title}`, () => {
      expect(hasOtherAddress([address(EXTERNAL.toString(), 'transport'), other], EXTERNAL)).to.equal(expected)
    })
  }
})
