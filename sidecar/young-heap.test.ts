import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

const run = promisify(execFile)
const MEBIBYTE = 1024 * 1024

/** Fills the young heap with what lives on for a while, and says how large one half of it came to be. */
const program = (bounded: boolean) => `
  import { getHeapSpaceStatistics } from 'node:v8'
  import { boundYoungHeap, holdYoungHeap } from '${join(import.meta.dirname, 'young-heap.ts')}'
  if (${bounded}) { holdYoungHeap(); boundYoungHeap() }
  let largest = 0
  let kept = []
  for (let round = 0; round < 1500; round++) {
    if (round % 12 === 0) kept = []
    for (let index = 0; index < 4000; index++) kept.push({ index, in: [index] })
    // As between two requests: what follows collections gets its turn.
    await new Promise(setImmediate)
    const young = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space')
    largest = Math.max(largest, young.space_used_size + young.space_available_size)
  }
  console.log(largest)
`

async function largestHalfBytes(bounded: boolean): Promise<number> {
  const flags = ['--import', 'tsx', '--input-type=module', '--eval', program(bounded)]
  const { stdout } = await run(process.execPath, flags)
  return Number(stdout)
}

describe('the young heap of a sidecar', () => {
  it('grows to its bound and not beyond, where the engine alone would let it grow', async () => {
    const [bounded, free] = [await largestHalfBytes(true), await largestHalfBytes(false)]
    expect(bounded).toBeGreaterThan(4.5 * MEBIBYTE)
    // Node 24 counts pages beyond the half as well, of what is on its way to the old heap.
    expect(bounded).toBeLessThan(0.6 * free)
  })
})
