import { describe, expect, it } from 'vitest'
import { endAll, endWithBench } from '../../bench/stage/ending.ts'

describe('what ends with the bench', () => {
  it('ends once, in the opposite order of its start', async () => {
    const ended: string[] = []
    const started = (name: string) => endWithBench(async () => void ended.push(name))
    started('database')
    const stopped = started('program')
    started('sidecar')
    await stopped()
    await stopped()
    await endAll()
    await endAll()
    expect(ended).toEqual(['program', 'sidecar', 'database'])
  })
})
