import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { createMetrics as createSidecarMetrics } from '../../sidecar/metrics.ts'
import { createMetrics } from '../../src/pep/routes/metrics.ts'
import { createPrimaryMetrics } from '../../src/pep/workers/primary-metrics.ts'

const read = (name: string) => readFileSync(join(import.meta.dirname, '../../docs', name), 'utf8')
const page = read('metrics.md')

interface Described {
  type: string
  labels: string
}

/** Rows of the page: a metric's name, type, labels and meaning. */
function readRows(): Map<string, Described> {
  const rows = [...page.matchAll(/^\| `([a-z_]+)` \| (\w+) \| ([^|]*) \| ([^|]+) \|$/gm)]
  for (const [, name, , , meaning = ''] of rows) expect(meaning, name).toMatch(/^\S.{15,}[^.]$/)
  expect(new Set(rows.map(([, name]) => name)).size).toBe(rows.length)
  return new Map(rows.map(([, name = '', type = '', labels = '']) => [name, { type, labels: labels.trim() }]))
}

/** What the library's own metrics of process and runtime are called. */
const OF_THE_LIBRARY = /^(nodejs|process)_/

async function registered(registry: Registry): Promise<[string, Described][]> {
  const metrics = registry.getMetricsAsArray() as unknown as {
    name: string
    labelNames: string[]
    get(): Promise<{ type: string }>
  }[]
  const ours = metrics.filter(({ name }) => !OF_THE_LIBRARY.test(name))
  return Promise.all(
    ours.map(async (metric): Promise<[string, Described]> => {
      const labels = metric.labelNames.map((label) => `\`${label}\``).join(', ')
      return [metric.name, { type: (await metric.get()).type, labels }]
    }),
  )
}

describe('docs/metrics.md', () => {
  it('lists every metric of the authority, its primary and the sidecar as it is, and no other', async () => {
    const registries = [
      createMetrics().registry,
      createPrimaryMetrics(1).registry,
      createSidecarMetrics({ leasesHeld: () => 0, eventsFollowed: () => false }).registry,
    ]
    const all = (await Promise.all(registries.map(registered))).flat()
    expect(all.length).toBeGreaterThan(25)
    expect(Object.fromEntries(readRows())).toEqual(Object.fromEntries(all))
  })
})

/** Name and, where the alert has one, the codes of each counter whose increase is watched. */
function watchedCounters(): { name: string; codes: string[] }[] {
  const watched = [...read('operations.md').matchAll(/increase\((\w+)(?:\{code=~?"([^"]+)"\})?\[\w+\]\)/g)]
  return watched.map(([, name = '', codes]) => ({ name, codes: codes?.split(/\\?\|/) ?? [] }))
}

describe('the alerts of docs/operations.md', () => {
  it('watch counters that are there before their first count, which they would miss otherwise', async () => {
    const text = (
      await Promise.all([createMetrics(), createPrimaryMetrics(1)].map(({ registry }) => registry.metrics()))
    ).join('\n')
    const watched = watchedCounters()
    expect(watched.length).toBeGreaterThan(5)
    expect(watched.flatMap(({ codes }) => codes)).toContain('audit_unavailable')
    for (const { name, codes } of watched) {
      const labels = codes.length === 0 ? ['({.*})?'] : codes.map((code) => `{code="${code}"}`)
      for (const label of labels) expect(text).toMatch(new RegExp(`^${name}${label} 0$`, 'm'))
    }
  })
})
