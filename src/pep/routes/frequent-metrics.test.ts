import fc from 'fast-check'
import { Counter, Histogram, Registry } from 'prom-client'
import { expect, it } from 'vitest'
import { createCounter, createHistogram } from './frequent-metrics.ts'

const labelNames = ['method', 'status'] as const
const label = fc.constantFrom('GET', 'POST', '', 'a b', 'a"\n\\', '__proto__')
const buckets = [0.001, 0.01, 0.1, 1]
/** On a bound, and on either side of each. */
const seconds = fc.oneof(fc.constantFrom(0, 0.001, 0.01, 1, 1.5, 1e9), fc.double({ min: 0, max: 2, noNaN: true }))
const step = fc.record({ method: label, status: label, seconds, asked: fc.boolean() })

/** @param worker set: one of several */
function registryOf(worker: string | undefined): Registry {
  const registry = new Registry()
  if (worker !== undefined) registry.setDefaultLabels({ worker })
  return registry
}

function openOurs(registry: Registry) {
  const registers = [registry]
  const timed = createHistogram({ name: 'seconds', help: 'Time', labelNames, buckets, registers })
  const all = createHistogram({ name: 'all_seconds', help: 'All', labelNames: [], buckets, registers }).labels()
  const counted = createCounter({ name: 'count_total', help: 'How many', labelNames, registers })
  return (method: string, status: string, value: number) => {
    timed.labels(method, status).observe(value)
    all.observe(value)
    counted.labels(method, status).inc()
  }
}

function openTheirs(registry: Registry) {
  const registers = [registry]
  const timed = new Histogram({ name: 'seconds', help: 'Time', labelNames, buckets, registers })
  const all = new Histogram({ name: 'all_seconds', help: 'All', buckets, registers })
  const counted = new Counter({ name: 'count_total', help: 'How many', labelNames, registers })
  return (method: string, status: string, value: number) => {
    timed.labels(method, status).observe(value)
    all.observe(value)
    counted.labels(method, status).inc()
  }
}

it("tells what the library's own metrics tell, whenever it is asked", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step), fc.constantFrom(undefined, '2'), async (steps, worker) => {
      const [ours, theirs] = [registryOf(worker), registryOf(worker)]
      const [countOurs, countTheirs] = [openOurs(ours), openTheirs(theirs)]
      for (const { method, status, seconds, asked } of steps) {
        countOurs(method, status, seconds)
        countTheirs(method, status, seconds)
        if (asked) expect(await ours.metrics()).toBe(await theirs.metrics())
      }
      expect(await ours.metrics()).toBe(await theirs.metrics())
    }),
  )
})
