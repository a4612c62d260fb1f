import { peerIdFromString } from '@libp2p/peer-id'
import { expect } from 'aegir/chai'
import { BackOff } from '../../src/dcutr/back-off.ts'

const PEER = peerIdFromString('12D3KooWRCJXEfuYwF89R272SRcw4tYZRCrFHe7CMioWHWKmkSFW')
const OTHER = peerIdFromString('12D3KooWHXxpKvJJEMtJ8tGGffqqkkQBMdyAFwy9uMVDPC8fGdbz')

describe('DCUtR back-off', () => {
  it('keeps a failed peer away until its time is over, and no other', () => {
    const backOff = new BackOff(120_000)
    backOff.add(PEER, 1_000)

    expect(backOff.isActive(PEER, 120_999)).to.equal(true)
    expect(backOff.isActive(OTHER, 1_000)).to.equal(false)
    expect(backOff.isActive(PEER, 121_000)).to.equal(false)
  })

  it('counts how often a peer has failed before its time was over', () => {
    const backOff = new BackOff(120_000)
    expect(backOff.count(PEER, 0)).to.equal(0)

    for (const now of [0, 119_999, 200_000]) {
      backOff.add(PEER, now)
    }

    expect(backOff.count(PEER, 200_000)).to.equal(3)
    expect(backOff.count(OTHER, 200_000)).to.equal(0)
    expect(backOff.count(PEER, 320_000)).to.equal(0)
    backOff.add(PEER, 320_000)
    expect(backOff.count(PEER, 320_000)).to.equal(1)
  })

  it('is off where its time is 0', () => {
    const backOff = new BackOff(0)
    backOff.add(PEER, 5)

    expect(backOff.count(PEER, 5)).to.equal(0)
  })

  it('ends with a success', () => {
    const backOff = new BackOff(120_000)
    backOff.add(PEER, 0)
    backOff.delete(PEER)

    expect(backOff.isActive(PEER, 1)).to.equal(false)
  })
})
