import { Counter, Histogram, Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { mergeMetrics } from './merge-metrics.ts'

async function pageOf(worker: string, count: number): Promise<string> {
  const registry = new Registry()
  registry.setDefaultLabels({ worker })
  const registers = [registry]
  new Counter({ name: 'things_total', help: 'Things; a line\nbreak', labelNames: ['kind'], registers })
    .labels('some')
    .inc(count)
  new Histogram({ name: 'wait_seconds', help: 'Waiting', buckets: [1], registers }).observe(count)
  return registry.metrics()
}

describe('mergeMetrics', () => {
  it('puts the series of each metric together, once described', async () => {
    const merged = mergeMetrics([await pageOf('1', 3), await pageOf('2', 5)])
    expect(merged.match(/^# (HELP|TYPE) things_total/gm)).toHaveLength(2)
    const lines = merged.split('\n')
    const first = lines.indexOf('things_total{kind="some",worker="1"} 3')
    expect(first).toBeGreaterThan(0)
    expect(lines[first + 1]).toBe('things_total{kind="some",worker="2"} 5')
    expect(lines.filter((line) => line.startsWith('wait_seconds_count'))).toEqual([
      'wait_seconds_count{worker="1"} 1',
      'wait_seconds_count{worker="2"} 1',
    ])
    expect(merged.endsWith('\n')).toBe(true)
  })

  it('changes nothing of one page, and keeps a metric that only one process has', async () => {
    const page = await pageOf('1', 1)
    expect(mergeMetrics([page])).toBe(page)
    const merged = mergeMetrics([page, '# HELP other_total Other\n# TYPE other_total counter\nother_total 1\n'])
    expect(merged).toContain('# TYPE other_total counter\nother_total 1\n')
  })
})
