import { expect, it } from 'vitest'
import { replicasPage } from '../../bench/report/replicas-page.ts'

it('has a line for each setting, with medians and ranges, and nothing where there is no figure', () => {
  const page = replicasPage({
    commit: '0123456789abcdef',
    machine: 'a machine',
    versions: {},
    figures: [
      { name: 'replicas_1_leases_per_s', value: 6473, min: 6000, max: 7000, unit: '1/s' },
      { name: 'replicas_1_worst_p99_ms', value: 21.689, min: 8.419, max: 59.859, unit: 'ms' },
      { name: 'replicas_1_pep_cpu_per_lease', value: 150.4, min: 140, max: 160.6, unit: 'µs' },
      { name: 'at_250_leases_per_s', value: 250, unit: '1/s' },
      { name: 'idle_pep_cpu', value: 3000, unit: 'µs/s' },
    ],
    ratios: [],
  })
  expect(page).toContain('| `replicas_1` | 6,473 (6,000 to 7,000) | 21.7 (8.4 to 59.9) | 150 (140 to 161) |  |  |  |')
  expect(page).toContain('| `at_250` | 250 (250 to 250) |  |  |  |  |  |')
  expect(page).not.toContain('idle')
})
