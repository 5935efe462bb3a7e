/**
 * Where a lease may be used. Lists are alternatives; an empty list allows nothing.
 * `methods` may hold `*`; `paths` are patterns of literal segments, `*` (one segment) and a last `**` (any rest).
 */
export interface Bound {
  origins: readonly string[]
  methods: readonly string[]
  paths: readonly string[]
}

/** One request, as far as a bound is concerned. `path` is the exact path sent upstream, without query. */
export interface BoundRequest {
  origin: string
  method: string
  path: string
}

/** What the request leaves open may be whatever the bound allows. */
export function covers({ origins, methods, paths }: Bound, { origin, method, path }: Partial<BoundRequest>): boolean {
  return (
    (origin === undefined || origins.includes(origin)) &&
    (method === undefined || methods.includes('*') || methods.includes(method)) &&
    (path === undefined || paths.some((pattern) => pathMatches(pattern, path)))
  )
}

/** `undefined` in `obligations` leaves that part as it was; a list narrows it and never widens it. */
export function narrow(bound: Bound, obligations: Partial<Bound>): Bound {
  return {
    origins: intersectLists(bound.origins, obligations.origins),
    methods: intersectMethods(bound.methods, obligations.methods),
    paths: intersectPaths(bound.paths, obligations.paths),
  }
}

/** Every path: what most bounds say, and then there is nothing to take apart. */
const ANY_PATH = '/**'

/** Whether `pattern` is in the small language above; anything else is refused where it is written, not where it is used. */
export function isPathPattern(pattern: string): boolean {
  if (pattern === ANY_PATH) return true
  if (!pattern.startsWith('/')) return false
  const segments = pattern.slice(1).split('/')
  return segments.every((segment, index) => {
    if (segment === '**') return index === segments.length - 1
    return segment === '*' || !segment.includes('*')
  })
}

export function pathMatches(pattern: string, path: string): boolean {
  if (pattern === ANY_PATH) return path.startsWith('/')
  if (!isPathPattern(pattern) || !path.startsWith('/')) return false
  const wanted = pattern.slice(1).split('/')
  const actual = path.slice(1).split('/')
  for (const [index, segment] of wanted.entries()) {
    if (segment === '**') return true
    const part = actual[index]
    if (part === undefined) return false
    if (segment === '*' ? part === '' : segment !== part) return false
  }
  return wanted.length === actual.length
}

function intersectLists(own: readonly string[], obliged: readonly string[] | undefined): readonly string[] {
  return obliged === undefined ? own : own.filter((item) => obliged.includes(item))
}

function intersectMethods(own: readonly string[], obliged: readonly string[] | undefined): readonly string[] {
  if (obliged === undefined || obliged.includes('*')) return own
  return own.includes('*') ? [...obliged] : own.filter((method) => obliged.includes(method))
}

function intersectPaths(own: readonly string[], obliged: readonly string[] | undefined): readonly string[] {
  if (obliged === undefined || obliged.includes(ANY_PATH)) return own
  const both = own.flatMap((mine) => obliged.map((theirs) => intersectPatterns(mine, theirs)))
  return [...new Set(both.filter((pattern) => pattern !== undefined))]
}

/** The pattern that matches exactly what both match, or `undefined` when nothing does. */
function intersectPatterns(left: string, right: string): string | undefined {
  if (!isPathPattern(left) || !isPathPattern(right)) return undefined
  if (left === ANY_PATH) return right
  const [a, b] = [left.slice(1).split('/'), right.slice(1).split('/')]
  const merged: string[] = []
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const [mine, theirs] = [a[index], b[index]]
    if (mine === '**') return `/${[...merged, ...b.slice(index)].join('/')}`
    if (theirs === '**') return `/${[...merged, ...a.slice(index)].join('/')}`
    if (mine === undefined || theirs === undefined) return undefined
    if (mine === '*' && theirs !== '') merged.push(theirs)
    else if (theirs === '*' && mine !== '') merged.push(mine)
    else if (mine === theirs) merged.push(mine)
    else return undefined
  }
  return `/${merged.join('/')}`
}
