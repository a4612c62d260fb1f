import { expect } from 'aegir/chai'
import { PortSamples } from '../../src/mapping/port-samples.ts'
import type { PortSample } from '../../src/mapping/port-samples.ts'

const MINUTE = 60_000

function sample (externalPort: number, at: number, externalHost = '11.0.0.1'): PortSample {
  return { localPort: 4_001, externalHost, externalPort, at }
}

describe('port samples', () => {
  function ports (samples: PortSamples, now: number): number[] {
    return samples.list(now).map(({ externalPort }) => externalPort)
  }

  it('are in the order in which the connections were begun', () => {
    const samples = new PortSamples()
    samples.add(sample(2, 20))
    samples.add(sample(1, 10))

    expect(ports(samples, 30)).to.deep.equal([1, 2])
  })

  it('of a living connection stay, of an ended one expire after five minutes', () => {
    const samples = new PortSamples()
    const [living, ended] = [{}, {}]
    samples.add(sample(1, 0), living)
    samples.add(sample(2, 0), ended)
    samples.add(sample(3, 2 * MINUTE))
    samples.markEnded(ended)

    expect(ports(samples, 4 * MINUTE)).to.deep.equal([1, 2, 3])
    expect(ports(samples, 6 * MINUTE)).to.deep.equal([1, 3])
    expect(ports(samples, 600 * MINUTE)).to.deep.equal([1])
  })

  it('of a former address are left out while a connection has the present one', () => {
    const samples = new PortSamples()
    const [before, after] = [{}, {}]
    samples.add(sample(1, 0, '11.0.0.1'), before)
    samples.add(sample(2, 10, '11.0.0.2'), after)

    // a pool of addresses
    expect(ports(samples, 20)).to.deep.equal([1, 2])
    samples.markEnded(before)
    expect(ports(samples, 20)).to.deep.equal([2])
    samples.markEnded(after)
    expect(ports(samples, 20)).to.deep.equal([1, 2])
  })

  it('are 32 at most, the latest', () => {
    const samples = new PortSamples()

    for (let i = 0; i < 1_000; i++) {
      samples.add(sample(i, i), {})
    }

    expect(ports(samples, 1_000)).to.deep.equal(Array.from({ length: 32 }, (_, i) => 968 + i))
  })
})
