import type { MetricGroup, Metrics } from '@libp2p/interface'

export interface SharedGaugeOptions {
  /**
   * The name of the label that tells the values apart
   */
  label: string
  help: string
}

const gauges = new WeakMap<Metrics, Map<string, SharedGauge>>()

/**
 * The gauges that have values, by name. Two nodes in one process may have one registry:
 * then a `reset()` also removes what the other node reports.
 */
const withValues = new Map<string, Set<SharedGauge>>()

/**
 * A gauge that several owners report to: listeners, mappings. Each has labels of
 * its own, which end with it.
 *
 * `registerMetricGroup` alone cannot do this: `@libp2p/prometheus-metrics` keeps
 * only the first `calculate` of a name, and never removes a label but by `reset()`
 * of all of them.
 *
 * @returns nothing without metrics, so that a call can be written as `gauge?.set(...)`
 */
export function sharedGauge (
  metrics: Metrics | undefined,
  name: string,
  options: SharedGaugeOptions
): SharedGauge | undefined {
  if (metrics == null) {
    return
  }

  const known = gauges.get(metrics) ?? new Map<string, SharedGauge>()
  gauges.set(metrics, known)
  const gauge = known.get(name) ?? new SharedGauge(name, metrics.registerMetricGroup(name, options))
  known.set(name, gauge)

  return gauge
}

export class SharedGauge {
  private readonly name: string
  private readonly group: MetricGroup
  private readonly owners = new Map<object, Record<string, number>>()

  constructor (name: string, group: MetricGroup) {
    this.name = name
    this.group = group
  }

  /**
   * Report these values in place of what this owner reported before
   */
  set (owner: object, values: Record<string, number>): void {
    const before = this.owners.get(owner) ?? {}
    // the last owner that reports a label decides its value
    this.owners.delete(owner)
    this.owners.set(owner, values)
    const others = withValues.get(this.name) ?? new Set()
    withValues.set(this.name, others.add(this))

    if (Object.keys(before).every(label => label in values)) {
      this.group.update(values)
    } else {
      this.reset()
    }
  }

  /**
   * Report no value of this owner any longer
   */
  delete (owner: object): void {
    if (!this.owners.delete(owner)) {
      return
    }

    if (this.owners.size === 0) {
      withValues.get(this.name)?.delete(this)
    }

    this.reset()
  }

  private reset (): void {
    this.group.reset()
    withValues.get(this.name)?.forEach(gauge => { gauge.report() })
  }

  private report (): void {
    this.owners.forEach(values => { this.group.update(values) })
  }
}
