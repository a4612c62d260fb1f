import { defaultLogger } from '@libp2p/logger'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { listenerAddresses } from '../../src/listen/addresses.ts'
import { Announcer } from '../../src/listen/announcer.ts'
import { isForwardedElsewhere, isForwardedForGood } from '../../src/listen/port-forward.ts'
import { recordingAddressManager } from '../fixtures/components.ts'
import { HeldClock } from '../fixtures/held-clock.ts'
import type { NodeAddress } from '../../src/components.ts'

const EXTERNAL = multiaddr('/ip4/1.2.3.4/tcp/50123')
const FORWARDED = multiaddr('/ip4/1.2.3.4/tcp/4001')
const FORWARDED_IPV6 = multiaddr('/ip6/2a00::1/tcp/4001')
const DATE = Date.UTC(2030, 0, 1)
const MINUTES = DATE + 600_000
const NEVER = 8_640_000_000_000_000

const forward = (address: NodeAddress['multiaddr'], verified: boolean, expires = NEVER): NodeAddress =>
  ({ multiaddr: address, type: 'ip-mapping', verified, expires })

describe('a port forward in the router', () => {
  it('is told to peers as it is: libp2p puts its host into the addresses of a listener', () => {
    const listenAddr = multiaddr('/ip4/127.0.0.1/tcp/4001')
    expect(listenAddr.bytes).to.have.length.greaterThan(0)
    const local = { address: '127.0.0.1', family: 'IPv4', port: 4001 }
    const addresses = listenerAddresses(listenAddr, local, { external: EXTERNAL, webSockets: 'none' })
    expect(addresses.map(String)).to.deep.equal([`${EXTERNAL}`, `${listenAddr}`])
    const components = addresses[1].getComponents()
    components[0].value = '1.2.3.4'

    expect(multiaddr(multiaddr(components).bytes).toString()).to.equal(FORWARDED.toString())
  })

  for (const [title, addresses, isElsewhere] of [
    ['none', [], false],
    ['another port', [forward(FORWARDED, true)], true],
    ['another port that is not confirmed', [forward(FORWARDED, false)], false],
    ['the same port', [forward(EXTERNAL, true)], false],
    ['another IP version', [forward(FORWARDED_IPV6, true)], false],
    ['no forward, but an address of the listener', [{ ...forward(FORWARDED, true), type: 'transport' }], false]
  ] as Array<[string, NodeAddress[], boolean]>) {
    it(`${isElsewhere ? 'makes' : 'does not make'} an untested address needless: ${title}`, () => {
      expect(isForwardedElsewhere(addresses, EXTERNAL)).to.equal(isElsewhere)
    })
  }

  for (const [title, addresses, isForGood] of [
    ['confirmed for ever', [forward(EXTERNAL, true)], true],
    ['confirmed by AutoNAT', [forward(EXTERNAL, true, MINUTES)], false],
    ['not confirmed', [forward(EXTERNAL, false)], false],
    ['another port', [forward(FORWARDED, true)], false]
  ] as Array<[string, NodeAddress[], boolean]>) {
    it(`${isForGood ? 'is' : 'is not'} left alone: ${title}`, () => {
      expect(isForwardedForGood(addresses, EXTERNAL, DATE)).to.equal(isForGood)
    })
  }

  interface Setting {
    announcer: Announcer
    calls: string[]
    forwards: NodeAddress[]
    clock: HeldClock
  }

  function create (): Setting {
    const addressManager = recordingAddressManager()
    const forwards: NodeAddress[] = []
    const clock = new HeldClock()
    const announcer = new Announcer({
      logger: defaultLogger(),
      addressManager: {
        ...addressManager,
        getAddressesWithMetadata: () => [...addressManager.getAddressesWithMetadata(), ...forwards]
      },
      registrar: { getProtocols: () => [] }
    }, {
      announce: 'dialable',
      clock,
      log: defaultLogger().forComponent('test'),
      onAddress: () => {},
      onReachability: () => {}
    })

    return { announcer, calls: addressManager.calls, forwards, clock }
  }

  it('is announced in place of an address that nobody has tested, also when it comes later', () => {
    const { announcer, calls, forwards, clock } = create()
    announcer.update(EXTERNAL, false)
    expect(calls.map(call => call.split(' ')[0])).to.deep.equal(['confirm'])

    forwards.push(forward(FORWARDED, true))
    clock.advance(60_000)
    expect(calls.at(-1)).to.equal(`remove ${EXTERNAL}`)
    expect(calls.filter(call => call.startsWith('remove'))).to.have.lengthOf(1)
    expect(announcer.external).to.equal(EXTERNAL)

    forwards.pop()
    clock.advance(60_000)
    expect(calls.at(-1)).to.include(`confirm ${EXTERNAL}`)
  })

  it('does not keep a proven address from being announced', () => {
    const { announcer, calls, forwards, clock } = create()
    forwards.push(forward(FORWARDED, true))
    announcer.update(EXTERNAL, false)
    expect(calls).to.be.empty()

    announcer.onStranger(true)
    clock.advance(60_000)
    expect(calls.at(-1)).to.include(`confirm ${EXTERNAL}`)
  })

  it('stays announced when no STUN server can be reached, and when the listener closes', () => {
    for (const end of [
      (announcer: Announcer) => { announcer.update(undefined, false) },
      (announcer: Announcer) => { announcer.close() }
    ]) {
      const { announcer, calls, forwards, clock } = create()
      forwards.push(forward(EXTERNAL, true))
      announcer.update(EXTERNAL, false)
      // libp2p would confirm the forward too, for as long as is asked for
      clock.advance(60_000)
      end(announcer)

      expect(calls).to.be.empty()
    }
  })
})
