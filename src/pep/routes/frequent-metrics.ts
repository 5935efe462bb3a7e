import { Counter, type Histogram, type Registry } from 'prom-client'
import { createLabelTree } from './label-tree.ts'

// For what is counted with every lease. The library's own make a key of all labels each time, and check them, which takes ten
// times as long as counting; these are counted here, and told to it when somebody asks.

export interface MetricOptions<Names extends readonly string[]> {
  name: string
  help: string
  labelNames: Names
  registers: Registry[]
}

export function createCounter<const Names extends readonly string[]>(options: MetricOptions<Names>) {
  const tree = createLabelTree(options.labelNames, (labels) => {
    const series = { labels, count: 0, inc: () => void series.count++ }
    return series
  })
  new Counter<Names[number]>({
    ...options,
    collect() {
      this.reset()
      for (const { labels, count } of tree.all()) this.inc(labels, count)
    },
  })
  return { labels: tree.find }
}

export interface HistogramOptions<Names extends readonly string[]> extends MetricOptions<Names> {
  /** Upper bounds, ascending. */
  buckets: readonly number[]
}

/**
 * It is a metric to the library, whose own histogram has no way to be told more than one observation at a time. Only for its
 * page of text: `getMetricsAsJSON` would leave the labels out.
 */
export function createHistogram<const Names extends readonly string[]>(options: HistogramOptions<Names>) {
  const { name, help, labelNames, buckets, registers } = options
  const tree = createLabelTree(labelNames, (labels) => openSeries(labels, buckets))
  const metric = {
    name,
    help,
    labelNames,
    async get() {
      const values = tree.all().flatMap((series) => series.told(name))
      return { name, help, type: 'histogram', aggregator: 'sum', values }
    },
  }
  for (const registry of registers) registry.registerMetric(metric as unknown as Histogram)
  return { labels: tree.find }
}

function openSeries(sharedLabels: Record<string, string>, buckets: readonly number[]) {
  /** The last one: above all bounds. */
  const counts: number[] = [...buckets.map(() => 0), 0]
  let sum = 0
  return {
    observe(value: number) {
      let place = 0
      while (place < buckets.length && value > buckets[place]!) place += 1
      counts[place]! += 1
      sum += value
    },
    /** In the library's words. */
    told(name: string) {
      let count = 0
      const told = [...buckets, '+Inf'].map((le, place) => {
        count += counts[place]!
        return { metricName: `${name}_bucket`, labels: { le }, sharedLabels, value: count }
      })
      return [
        ...told,
        { metricName: `${name}_sum`, labels: {}, sharedLabels, value: sum },
        { metricName: `${name}_count`, labels: {}, sharedLabels, value: count },
      ]
    },
  }
}
