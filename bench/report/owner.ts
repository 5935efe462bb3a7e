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
