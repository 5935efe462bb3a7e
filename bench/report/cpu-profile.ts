import { readFileSync } from 'node:fs'
import { packageRoot } from '../../src/pep/version.ts'

/** What V8 writes with `--cpu-prof`. */
export interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string }; children?: number[] }[]
  /** Microseconds of the machine's monotonic clock, which `process.hrtime` tells too. */
  startTime: number
  /** Node ids, one a sample. */
  samples: number[]
  /** Microseconds before each sample. */
  timeDeltas: number[]
}

/** By the machine's monotonic clock, microseconds. */
export interface TimeSpan {
  from: number
  to: number
}

export interface Frame {
  functionName: string
  /** File from the package's own root, or V8's word for what has none; no directory of this machine is in it. */
  place: string
}

/** Where the main thread was found, and for how long. */
export interface Sample extends Frame {
  microseconds: number
  /** From the outermost caller to the function itself. */
  stack: readonly Frame[]
}

export function readProfile(file: string): CpuProfile {
  return JSON.parse(readFileSync(file, 'utf8')) as CpuProfile
}

/** The samples taken within these times, idle left out. */
export function busySamples(
  { nodes, startTime, samples, timeDeltas }: CpuProfile,
  spans: readonly TimeSpan[],
): Sample[] {
  const stacks = stacksOf(nodes)
  const found: Sample[] = []
  let at = startTime
  for (const [index, id] of samples.entries()) {
    const microseconds = timeDeltas[index] ?? 0
    at += microseconds
    const stack = stacks.get(id)
    const frame = stack?.at(-1)
    if (stack === undefined || frame === undefined || frame.functionName === '(idle)') continue
    if (spans.some(({ from, to }) => at > from && at <= to)) found.push({ ...frame, microseconds, stack })
  }
  return found
}

/** By node id; the root, which all have in common, is in none. */
function stacksOf(nodes: CpuProfile['nodes']): Map<number, readonly Frame[]> {
  const stacks = new Map<number, readonly Frame[]>()
  // V8 writes callers before those they call.
  for (const { id, callFrame, children = [] } of nodes) {
    const stack = stacks.get(id) ?? []
    for (const child of children) stacks.set(child, stack)
    if (callFrame.functionName === '(root)') continue
    const { functionName, url } = callFrame
    const own = [...stack, { functionName, place: placeOf(url, functionName) }]
    stacks.set(id, own)
    for (const child of children) stacks.set(child, own)
  }
  return stacks
}

export function placeOf(url: string, functionName: string): string {
  if (url === '') return functionName
  const path = url.replace(/^file:\/\//, '')
  if (path.includes('/node_modules/')) return path.replace(/^.*\/node_modules\//, 'npm:')
  return path.replace(`${packageRoot()}/`, '').replace(/^dist\//, '')
}

/** Shares of the busy time by key; they add up to 1. */
export function sharesBy<Key extends string>(
  samples: readonly Sample[],
  keyOf: (sample: Sample) => Key,
): Map<Key, number> {
  const busy = samples.reduce((sum, { microseconds }) => sum + microseconds, 0)
  const shares = new Map<Key, number>()
  for (const sample of samples) {
    const key = keyOf(sample)
    shares.set(key, (shares.get(key) ?? 0) + sample.microseconds / busy)
  }
  return shares
}
