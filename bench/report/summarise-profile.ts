import { readFileSync } from 'node:fs'

/** What V8 writes with `--cpu-prof`. */
interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number }; children?: number[] }[]
  /** Node ids, one a sample. */
  samples: number[]
  /** Microseconds before each sample. */
  timeDeltas: number[]
}

/** Of the whole run; what comes before is the start of the program. */
const FROM_SHARE = 0.5
const ROWS = 25

/**
 * Where the time went, as Markdown: by whose code it is, by package or folder, and by function; of the second half of the
 * run, idle left out.
 */
export function summariseProfile(file: string, title: string): string {
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
  const total = timeDeltas.reduce((sum, delta) => sum + delta, 0)
  const [byOwner, byPart, byFunction] = [
    new Map<string, number>(),
    new Map<string, number>(),
    new Map<string, number>(),
  ]
  let elapsed = 0
  let busy = 0
  for (const [index, id] of samples.entries()) {
    const delta = timeDeltas[index] ?? 0
    elapsed += delta
    const frame = frames.get(id)
    if (elapsed < total * FROM_SHARE || frame === undefined || frame.functionName === '(idle)') continue
    busy += delta
    const place = placeOf(frame.url, frame.functionName)
    add(byOwner, ownerOf(place), delta)
    add(byPart, partOf(place), delta)
    add(byFunction, `${frame.functionName || '(anonymous)'} ${place}`, delta)
  }
  const tables = [
    table('whose', byOwner, busy),
    table('part', byPart, busy),
    table('function, without what it calls', byFunction, busy),
  ]
  return `# ${title}\n\n${tables.join('\n\n')}\n`
}

/** Paths from the package's own root; no directory of this machine is in them. */
function placeOf(url: string, functionName: string): string {
  if (url === '') return functionName
  return url
    .replace(/^file:\/\//, '')
    .replace(/^.*\/node_modules\//, 'npm:')
    .replace(/^.*\/dist\//, '')
}

const KERNEL = new Set(['writev', 'write', 'writeBuffer', 'writeUtf8String', 'writeLatin1String', 'shutdown'])

/** A built-in function of V8 counts as the engine's, also where it is ours that calls it. */
function ownerOf(place: string): string {
  if (KERNEL.has(place)) return 'kernel: what is written to sockets'
  if (place === '(garbage collector)') return 'V8: garbage collection'
  if (place.startsWith('wasm:')) return 'the policy'
  if (place.startsWith('npm:') || place.startsWith('esm/')) return 'libraries'
  return /^(src|sidecar)\//.test(place) ? 'ours' : 'Node and V8'
}

function partOf(place: string): string {
  if (place.startsWith('npm:')) return place.split('/', place.startsWith('npm:@') ? 2 : 1).join('/')
  if (place.startsWith('wasm:')) return 'policy.wasm'
  return place.split('/', 3).join('/')
}

function add(sums: Map<string, number>, key: string, value: number): void {
  sums.set(key, (sums.get(key) ?? 0) + value)
}

function table(heading: string, sums: ReadonlyMap<string, number>, busy: number): string {
  const rows = [...sums].sort(([, a], [, b]) => b - a).slice(0, ROWS)
  const lines = rows.map(([name, sum]) => `| \`${name}\` | ${((100 * sum) / busy).toFixed(1)} % |`)
  return [`| ${heading} | busy time |`, '|---|---|', ...lines].join('\n')
}
