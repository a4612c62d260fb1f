import { Counter, Gauge } from 'prom-client'
import type { Registry } from 'prom-client'

/**
 * Metrics that are read at each scrape, with names that begin alike
 */
export class MetricSet {
  private readonly registry: Registry
  private readonly prefix: string

  constructor (registry: Registry, prefix: string) {
    this.registry = registry
    this.prefix = prefix
  }

  gauge (name: string, help: string, read: () => number): void {
    this.registry.registerMetric(new Gauge({
      name: this.prefix + name,
      help,
      registers: [],
      collect () { this.set(read()) }
    }))
  }

  counter (name: string, help: string, read: () => number): void {
    this.registry.registerMetric(new Counter({
      name: this.prefix + name,
      help,
      registers: [],
      collect () {
        this.reset()
        this.inc(read())
      }
    }))
  }

  counterBy (name: string, label: string, help: string, read: () => Record<string, number>): void {
    this.registry.registerMetric(new Counter({
      name: this.prefix + name,
      help,
      labelNames: [label],
      registers: [],
      collect () {
        this.reset()
        Object.entries(read()).forEach(([key, value]) => { this.inc({ [label]: key }, value) })
      }
    }))
  }
}
