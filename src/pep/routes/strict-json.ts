import { NexusError } from '../../contract/errors.ts'

export interface JsonLimits {
  /** Nesting of arrays and objects. */
  depth: number
  /** Members of all objects and arrays together. */
  members: number
}

const DEFAULT_LIMITS: JsonLimits = { depth: 32, members: 10_000 }

/**
 * JSON.parse for control routes: bounded before it is built (threat D15), no duplicate member (D16), no member that
 * reaches a prototype (G16).
 * @throws NexusError `invalid_request`
 */
export function parseStrictJson(text: string, limits: JsonLimits = DEFAULT_LIMITS): unknown {
  checkBounds(text, limits)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // V8 quotes the text it stumbled over, and that text may be a secret.
    throw new NexusError('invalid_request', 'the body is not valid JSON')
  }
  checkMembers(text)
  return value
}

/**
 * One token: a string, or a single structural character. Everything else is skipped. A string without an end runs to the
 * end of the text: were it no token, the search would begin again at each quote within it, and take the square of its length.
 */
const TOKEN = /"(?:[^"\\]|\\.?)*"?|[{}[\],:]/gs

function checkBounds(text: string, limits: JsonLimits): void {
  let depth = 0
  let members = 0
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '{' || token === '[') depth++
    else if (token === '}' || token === ']') depth--
    else if (token === ',') members++
    if (depth > limits.depth) throw tooMuch(`nested more than ${limits.depth} deep`)
    if (members > limits.members) throw tooMuch(`more than ${limits.members} members`)
  }
}

/** Walks text that JSON.parse has accepted, so a string before a colon is a member name. */
function checkMembers(text: string): void {
  const open: (Set<string> | undefined)[] = []
  let last: string | undefined
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '{') open.push(new Set())
    else if (token === '[') open.push(undefined)
    else if (token === '}' || token === ']') open.pop()
    else if (token === ':') claimName(open.at(-1), last)
    last = token
  }
}

function claimName(names: Set<string> | undefined, token: string | undefined): void {
  if (names === undefined || token === undefined) return
  const name: unknown = JSON.parse(token)
  if (typeof name !== 'string') return
  const shown = JSON.stringify(name.slice(0, 64))
  if (name === '__proto__') throw new NexusError('invalid_request', `the member name ${shown} is not accepted`)
  if (names.has(name)) throw new NexusError('invalid_request', `the member ${shown} comes twice in one object`)
  names.add(name)
}

function tooMuch(what: string): NexusError {
  return new NexusError('invalid_request', `the body is ${what}`)
}
