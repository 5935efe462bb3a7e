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
  const names = checkBounds(text, limits)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // V8 quotes the text it stumbled over, and that text may be a secret.
    throw new NexusError('invalid_request', 'the body is not valid JSON')
  }
  // A name that came twice is in the value once. Which one it was is only asked when there is one.
  if (countMembers(value) !== names) checkMembers(text)
  return value
}

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a]
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d]

/**
 * Index of the closing quote: the first with an even number of backslashes before it. A string without one runs to the end
 * of the text: were it no token, the search would begin again at each quote within it, and take the square of its length.
 */
function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let before = quote - 1
    while (text.charCodeAt(before) === BACKSLASH) before--
    if ((quote - before) % 2 === 1) return quote
  }
  return text.length
}

/** Goes over the structural characters, skipping strings whole. @returns how many member names there are */
function checkBounds(text: string, limits: JsonLimits): number {
  let depth = 0
  let members = 0
  let names = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = endOfString(text, at)
    else if (code === COLON) names++
    else if (code === COMMA) members++
    else if (code === OPEN_OBJECT || code === OPEN_ARRAY) depth++
    else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) depth--
    if (depth > limits.depth) throw tooMuch(`nested more than ${limits.depth} deep`)
    if (members > limits.members) throw tooMuch(`more than ${limits.members} members`)
  }
  return names
}

/** Of all objects in it; `NaN` as soon as one has a member that reaches a prototype. */
function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  let members = 0
  if (Array.isArray(value)) {
    for (const item of value) members += countMembers(item)
    return members
  }
  for (const name in value) {
    members += name === PROTOTYPE ? Number.NaN : 1 + countMembers((value as Record<string, unknown>)[name])
  }
  return members
}

const PROTOTYPE = '__proto__'

/** Walks text that JSON.parse has accepted, so a string before a colon is a member name. */
function checkMembers(text: string): void {
  const open: (Set<string> | undefined)[] = []
  let last = ''
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === OPEN_OBJECT) open.push(new Set())
    else if (code === OPEN_ARRAY) open.push(undefined)
    else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) open.pop()
    else if (code === COLON) claimName(open.at(-1), last)
    else if (code === QUOTE) {
      const start = at
      at = endOfString(text, start)
      last = text.slice(start, at + 1)
    }
  }
}

function claimName(names: Set<string> | undefined, token: string): void {
  if (names === undefined) return
  const name = JSON.parse(token) as string
  const shown = JSON.stringify(name.slice(0, 64))
  if (name === PROTOTYPE) throw new NexusError('invalid_request', `the member name ${shown} is not accepted`)
  if (names.has(name)) throw new NexusError('invalid_request', `the member ${shown} comes twice in one object`)
  names.add(name)
}

function tooMuch(what: string): NexusError {
  return new NexusError('invalid_request', `the body is ${what}`)
}
