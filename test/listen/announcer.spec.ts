import { defaultLogger } from '@libp2p/logger'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { Announcer } from '../../src/listen/announcer.ts'
import { recordingAddressManager } from '../fixtures/components.ts'
import { HeldClock } from '../fixtures/held-clock.ts'
import type { Announce } from '../../src/index.ts'

const EXTERNAL = multiaddr('/ip4/1.2.3.4/tcp/50123')
const OTHER = multiaddr('/ip4/1.2.3.4/tcp/50124')
const AUTONAT = ['/libp2p/autonat/2/dial-back']

/**
 * Longer than the time between two looks for a verdict
 */
const A_WHILE = 10_000

interface Setting {
  announcer: Announcer
  addressManager: ReturnType<typeof recordingAddressManager>
  clock: HeldClock
  reports: string[]
}

function create (announce: Announce, protocols: string[] = []): Setting {
  const addressManager = recordingAddressManager()
  const clock = new HeldClock()
  const reports: string[] = []
  const announcer: Announcer = new Announcer({
    logger: defaultLogger(),
    addressManager,
    registrar: { getProtocols: () => protocols }
  }, {
    announce,
    clock,
    log: defaultLogger().forComponent('test'),
    onAddress: () => {},
    onReachability: () => { reports.push(announcer.reachability.reachability) }
  })

  return { announcer, addressManager, clock, reports }
}

/**
 * Reports come after libp2p has read the address
 */
const settled = async (): Promise<void> => Promise.resolve()

describe('announcer', () => {
  describe('dialable, with AutoNAT', () => {
    it('confirms nothing itself', () => {
      const { announcer, addressManager, clock } = create('dialable', AUTONAT)
      announcer.update(EXTERNAL, false)
      clock.advance(3_600_000)

      expect(addressManager.calls).to.deep.equal([])
      expect(announcer.external).to.equal(EXTERNAL)
      expect(announcer.reachability).to.deep.equal({ reachability: 'unknown' })
    })

    it('reports each change of the verdict, once', async () => {
      const { announcer, addressManager, clock, reports } = create('dialable', AUTONAT)
      announcer.update(EXTERNAL, false)

      for (const isDialable of [true, true, false, false, true]) {
        if (isDialable) {
          announcer.onStranger(false)
          addressManager.confirmObservedAddr(EXTERNAL)
        } else {
          addressManager.removeObservedAddr(EXTERNAL)
        }

        clock.advance(A_WHILE)
        await settled()
      }

      expect(reports).to.deep.equal(['public', 'private', 'public'])
      expect(announcer.reachability).to.deep.equal({ reachability: 'public', reachabilitySource: 'autonat' })
      expect(addressManager.calls).to.have.lengthOf(5)
    })

    it('withdraws what AutoNAT has confirmed and no stranger has dialled, before anybody is told', async () => {
      const { announcer, addressManager, clock, reports } = create('dialable', AUTONAT)
      announcer.update(EXTERNAL, false)

      for (let i = 0; i < 3; i++) {
        addressManager.confirmObservedAddr(EXTERNAL)
        announcer.refresh()
        expect(addressManager.getAddressesWithMetadata()).to.have.nested.property('0.verified', false)
        clock.advance(A_WHILE)
      }

      await settled()
      expect(reports).to.deep.equal([])
      // AutoNAT tests it again after a minute
      expect(addressManager.calls.filter(call => call === `remove ${EXTERNAL} 60000`)).to.have.lengthOf(3)
    })

    it('confirms what a stranger has dialled, and lets AutoNAT go on testing', async () => {
      const { announcer, addressManager, clock, reports } = create('dialable', AUTONAT)
      announcer.update(EXTERNAL, false)
      announcer.onStranger(false)
      expect(addressManager.calls).to.deep.equal([])

      announcer.onStranger(true)
      await settled()
      expect(addressManager.calls).to.deep.equal([`confirm ${EXTERNAL} 0`])
      expect(announcer.reachability).to.deep.equal({ reachability: 'public', reachabilitySource: 'inbound' })

      addressManager.removeObservedAddr(EXTERNAL)
      clock.advance(A_WHILE)
      announcer.onStranger(true)
      await settled()
      expect(reports).to.deep.equal(['public', 'private'])
      expect(addressManager.calls).to.deep.equal([`confirm ${EXTERNAL} 0`, `remove ${EXTERNAL}`])
    })

    it('forgets a stranger with the address', async () => {
      const { announcer, addressManager, clock } = create('dialable', AUTONAT)
      announcer.update(EXTERNAL, false)
      announcer.onStranger(true)
      announcer.update(OTHER, false)
      expect(announcer.reachability.reachability).to.equal('unknown')

      addressManager.confirmObservedAddr(OTHER)
      clock.advance(A_WHILE)
      expect(announcer.reachability.reachability).to.equal('unknown')
    })

    it('takes a withdrawal of an address that was never confirmed for a verdict', async () => {
      const { announcer, addressManager, clock, reports } = create('dialable', AUTONAT)
      announcer.update(EXTERNAL, false)
      addressManager.removeObservedAddr(EXTERNAL)
      clock.advance(A_WHILE)
      await settled()

      expect(reports).to.deep.equal(['private'])
    })

    it('forgets the verdict with the address, and does not take its own withdrawal for one', async () => {
      const { announcer, addressManager, clock, reports } = create('dialable', AUTONAT)
      announcer.update(EXTERNAL, false)
      announcer.onStranger(false)
      addressManager.confirmObservedAddr(EXTERNAL)
      clock.advance(A_WHILE)
      await settled()
      announcer.update(OTHER, false)

      expect(announcer.reachability.reachability).to.equal('unknown')

      announcer.update(EXTERNAL, false)
      clock.advance(A_WHILE)

      expect(announcer.reachability.reachability).to.equal('unknown')
      expect(reports).to.deep.equal(['public'])
    })

    it('confirms an IPv4 address of this machine, until AutoNAT finds it blocked', () => {
      const { announcer, addressManager, clock } = create('dialable', AUTONAT)
      announcer.update(EXTERNAL, true)

      expect(addressManager.calls).to.deep.equal([`confirm ${EXTERNAL} 600000`])
      expect(announcer.reachability).to.deep.equal({ reachability: 'public', reachabilitySource: 'no-nat' })

      addressManager.removeObservedAddr(EXTERNAL)
      clock.advance(3_600_000)

      expect(addressManager.calls).to.have.lengthOf(2)
      expect(announcer.reachability.reachability).to.equal('private')
    })

    it('does not confirm an IPv6 address of this machine, which a firewall may protect', () => {
      const { announcer, addressManager } = create('dialable', AUTONAT)
      announcer.update(multiaddr('/ip6/2a00::1/tcp/4001'), true)

      expect(addressManager.calls).to.deep.equal([])
    })
  })

  it('confirms at once on a node without AutoNAT', () => {
    const { announcer, addressManager, clock, reports } = create('dialable')
    announcer.update(EXTERNAL, false)
    clock.advance(3_600_000)

    expect(addressManager.calls).to.include(`confirm ${EXTERNAL} 600000`)
    expect(addressManager.getAddressesWithMetadata()).to.have.nested.property('0.verified', true)
    expect(reports).to.deep.equal([])
  })

  it('says once for a node what it assumes without AutoNAT', () => {
    const lines: string[] = []
    const log: any = (format: string) => { lines.push(format) }
    const node = {
      logger: defaultLogger(),
      addressManager: recordingAddressManager(),
      registrar: { getProtocols: () => [] }
    }
    const clock = new HeldClock()

    // a listener of each IP version, and later another address
    for (const address of [EXTERNAL, multiaddr('/ip6/2a00::1/tcp/4001')]) {
      const announcer = new Announcer(node, {
        announce: 'dialable',
        clock,
        log,
        onAddress: () => {},
        onReachability: () => {}
      })
      announcer.update(address, false)
      announcer.update(OTHER, false)
    }

    clock.advance(3_600_000)
    expect(lines).to.have.lengthOf(1)
    expect(lines[0]).to.include('no AutoNAT service').and.include('autoNATv2()')
  })

  it('recognises AutoNAT by each of its protocols, whatever their prefix', () => {
    for (const protocol of ['/libp2p/autonat/1.0.0', '/libp2p/autonat/2/dial-back', '/my-app/autonat/1.0.0']) {
      const { announcer, addressManager } = create('dialable', [protocol])
      announcer.update(EXTERNAL, false)
      expect(addressManager.calls, protocol).to.deep.equal([])
    }

    // that of a server, which tests others
    const { announcer, addressManager } = create('dialable', ['/libp2p/autonat/2/dial-request'])
    announcer.update(EXTERNAL, false)
    expect(addressManager.calls).to.have.lengthOf(1)
  })

  it('outlives the verdicts of AutoNAT with always, and reports them', async () => {
    const { announcer, addressManager, clock, reports } = create('always', AUTONAT)
    announcer.update(EXTERNAL, false)
    addressManager.removeObservedAddr(EXTERNAL)
    clock.advance(60_000)
    await settled()

    expect(addressManager.calls.at(-1)).to.equal(`confirm ${EXTERNAL} 600000`)
    expect(reports).to.deep.equal(['private'])
  })

  it('confirms nothing with never', () => {
    const { announcer, addressManager, clock } = create('never')
    announcer.update(EXTERNAL, true)
    clock.advance(3_600_000)

    expect(addressManager.calls).to.deep.equal([])
  })

  it('withdraws the address and its timer when it closes', () => {
    const { announcer, addressManager, clock } = create('dialable')
    announcer.update(EXTERNAL, false)
    announcer.close()

    expect(addressManager.calls.at(-1)).to.equal(`remove ${EXTERNAL}`)
    expect(clock.pending).to.equal(0)
  })
})
