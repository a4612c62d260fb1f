import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { cannotMeet, endpointDependentAddresses } from '../../src/dcutr/endpoint-dependent.ts'
import { publicMapping } from '../../src/listen/public-mapping.ts'
import type { EndpointDependentStatus, MappedStatus } from '../../src/mapping/index.ts'
import type { Listener } from '@libp2p/interface'

const COMMON = { listener: multiaddr('/ip4/0.0.0.0/tcp/4001'), keepAliveInterval: 15_000, failures: [] }

function listener (status: object): Listener {
  return { [publicMapping]: { status } } as unknown as Listener
}

function dependent (externals: string[], isPooled = false): Listener {
  const status: EndpointDependentStatus = {
    ...COMMON,
    state: 'endpoint-dependent',
    isPooled,
    addresses: externals.map((external, i) => ({ server: `stun:${i}.example`, external: multiaddr(external) })),
    peers: []
  }

  return listener(status)
}

function mapped (): Listener {
  const status: MappedStatus = {
    ...COMMON,
    state: 'mapped',
    external: multiaddr('/ip4/1.2.3.4/tcp/4001'),
    endpoint: { host: '1.2.3.4', port: 4001 },
    local: multiaddr('/ip4/192.168.1.2/tcp/4001'),
    behaviour: 'endpoint-independent',
    servers: [],
    since: 0
  }

  return listener(status)
}

describe('the address of an endpoint-dependent NAT', () => {
  const one = ['/ip4/1.2.3.4/tcp/50001', '/ip4/1.2.3.4/tcp/50777']

  it('is the IP address that all servers agree on, once', () => {
    expect(endpointDependentAddresses([dependent(one), mapped()]).map(String)).to.deep.equal([one[0]])
    expect(endpointDependentAddresses([dependent(['/ip6/2a00::1/tcp/1', '/ip6/2a00::1/tcp/2'])]).map(String))
      .to.deep.equal(['/ip6/2a00::1/tcp/1'])
  })

  for (const [title, listeners] of Object.entries({
    'servers see several addresses': [dependent(['/ip4/1.2.3.4/tcp/1', '/ip4/1.2.3.5/tcp/1'])],
    'the NAT draws from a pool': [dependent(one, true)],
    'the mapping is endpoint-independent': [mapped()],
    'nothing is known': [dependent([]), { getAddrs: () => [] } as unknown as Listener],
    'it is another transport\'s listener': [{ getAddrs: () => [] } as unknown as Listener]
  })) {
    it(`is not told where ${title}`, () => {
      expect(endpointDependentAddresses(listeners)).to.be.empty()
      expect(cannotMeet(multiaddr('/ip4/5.6.7.8/tcp/4001'), listeners)).to.equal(false)
    })
  }

  it('means that a dial of the same IP version meets no dial of the remote peer', () => {
    expect(cannotMeet(multiaddr('/ip4/5.6.7.8/tcp/4001'), [dependent(one)])).to.equal(true)
    expect(cannotMeet(multiaddr('/ip6/2a00::1/tcp/4001'), [dependent(one)])).to.equal(false)
    expect(cannotMeet(multiaddr('/dns4/example.org/tcp/4001'), [dependent(one)])).to.equal(false)
  })
})
