import { defaultLogger } from '@libp2p/logger'
import { prometheusMetrics } from '@libp2p/prometheus-metrics'
import { expect } from 'aegir/chai'
import { sharedGauge } from '../../src/metrics/shared-gauge.ts'
import { scrape } from '../fixtures/scrape.ts'
import type { SharedGauge } from '../../src/metrics/shared-gauge.ts'

describe('shared gauge', () => {
  const NAME = 'test_gauge'
  const OPTIONS = { label: 'address', help: 'Tests' }
  let gauge: SharedGauge | undefined

  beforeEach(() => {
    const metrics = prometheusMetrics({ collectDefaultMetrics: false })({ logger: defaultLogger() })
    sharedGauge(metrics, NAME, OPTIONS)
    gauge = sharedGauge(metrics, NAME, OPTIONS)
  })

  it('reports the values of all owners, and none of an owner that has ended', async () => {
    const [a, b] = [{}, {}]
    gauge?.set(a, { a: 1, shared: 1 })
    gauge?.set(b, { b: 2, shared: 2 })
    expect(await scrape(NAME)).to.deep.equal({ a: 1, b: 2, shared: 2 })

    gauge?.delete(b)
    expect(await scrape(NAME)).to.deep.equal({ a: 1, shared: 1 })

    gauge?.delete(b)
    gauge?.delete(a)
    expect(await scrape(NAME)).to.deep.equal({})
  })

  it('removes the labels that an owner does not report again', async () => {
    const owner = {}
    gauge?.set(owner, { a: 1, b: 1 })
    gauge?.set(owner, { b: 2, c: 3 })
    expect(await scrape(NAME)).to.deep.equal({ b: 2, c: 3 })
  })

  it('keeps the values of another node with the same registry', async () => {
    const metrics = prometheusMetrics({ collectDefaultMetrics: false, preserveExistingMetrics: true })
    const other = sharedGauge(metrics({ logger: defaultLogger() }), NAME, OPTIONS)
    const [a, b] = [{}, {}]
    gauge?.set(a, { a: 1 })
    other?.set(b, { b: 2 })
    gauge?.delete(a)
    expect(await scrape(NAME)).to.deep.equal({ b: 2 })

    gauge?.set(a, { a: 3 })
    other?.delete(b)
    expect(await scrape(NAME)).to.deep.equal({ a: 3 })

    gauge?.delete(a)
    expect(await scrape(NAME)).to.deep.equal({})
  })

  it('does without metrics', () => {
    expect(sharedGauge(undefined, NAME, OPTIONS)).to.equal(undefined)
  })
})
