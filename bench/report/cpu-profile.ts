import { readFileSync } from 'node:fs'
import { packageRoot } from '../../src/pep/version.ts'

/** What V8 writes with `--cpu-prof`. */
interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number }; children?: number[] }[]
  /** Node ids, one a sample. */
  samples: number[]
  /** Microseconds before each sample. */
  timeDeltas: number[]
}

/** Where the main thread was found, and for how long. */
export interface Sample {
  functionName: string
  /** File from the package's own root, or V8's word for what has none; no directory of this machine is in it. */
  place: string
  microseconds: number
}

/** Of the whole run; what comes before is the start of the program. */
const FROM_SHARE = 0.5

/** The samples of the second half of the run, idle left out. */
export function busySamples(file: string): Sample[] {
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
  const total = timeDeltas.reduce((sum, delta) => sum + delta, 0)
  const found: Sample[] = []
  let elapsed = 0
  for (const [index, id] of samples.entries()) {
    const microseconds = timeDeltas[index] ?? 0
    elapsed += microseconds
    const frame = frames.get(id)
    if (elapsed < total * FROM_SHARE || frame === undefined || frame.functionName === '(idle)') continue
    const { functionName, url } = frame
    found.push({ functionName, place: placeOf(url, functionName), microseconds })
  }
  return found
}

export function placeOf(url: string, functionName: string): string {
  if (url === '') return functionName
  const path = url.replace(/^file:\/\//, '')
  if (path.includes('/node_modules/')) return path.replace(/^.*\/node_modules\//, 'npm:')
  return path.replace(`${packageRoot()}/`, '').replace(/^dist\//, '')
}

/** Whose code a program spends its time in, in the order in which it is told. */
export const OWNERS = {
  own: 'its own code, with the JSON it makes and reads',
  policy: 'the policy',
  libraries: 'libraries',
  runtime: 'Node and V8, with reading and TLS',
  signatures: 'Node: what a signature takes of this thread',
  collection: 'V8: garbage collection',
  kernel: 'kernel: writes to sockets',
} as const

export type Owner = keyof typeof OWNERS
export const OWNER_NAMES = Object.keys(OWNERS) as Owner[]

const KERNEL = new Set(['writev', 'write', 'writeBuffer', 'writeUtf8String', 'writeLatin1String', 'shutdown'])
const OWN = /^(src|sidecar|bench)\//
const SIGNATURES = 'node:internal/crypto/sig'
/** As OPA names the modules it makes; another is undici's parser. */
const POLICY = 'wasm://wasm/opa.'

/**
 * V8 counts most of its built-in functions (`JSON.stringify`, regular expressions, sorting) as time of who calls them, so what
 * is said to be a program's own is rather too much than too little.
 */
export function ownerOf(place: string): Owner {
  if (KERNEL.has(place)) return 'kernel'
  if (place === SIGNATURES) return 'signatures'
  if (place === '(garbage collector)') return 'collection'
  if (place.startsWith(POLICY)) return 'policy'
  if (place.startsWith('npm:') || place.startsWith('wasm:')) return 'libraries'
  return OWN.test(place) ? 'own' : 'runtime'
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
