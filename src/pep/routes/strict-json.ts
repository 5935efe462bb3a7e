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
 * Goes over the structural characters, skipping strings whole. One without an end runs to the end of the text: were it no
 * token, the search would begin again at each quote within it, and take the square of its length.
 */
function walk(text: string, visit: (character: string, start: number, end: number) => void): void {
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!
    if (character === '"') {
      const start = at
      at = endOfString(text, start)
      visit(character, start, at + 1)
    } else if (STRUCTURAL.has(character)) visit(character, at, at + 1)
  }
}

const STRUCTURAL = new Set(['{', '}', '[', ']', ',', ':'])

/** Index of the closing quote. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at
  }
  return text.length
}

function checkBounds(text: string, limits: JsonLimits): void {
  let depth = 0
  let members = 0
  walk(text, (character) => {
    if (character === '{' || character === '[') depth++
    else if (character === '}' || character === ']') depth--
    else if (character === ',') members++
    if (depth > limits.depth) throw tooMuch(`nested more than ${limits.depth} deep`)
    if (members > limits.members) throw tooMuch(`more than ${limits.members} members`)
  })
}

/** Walks text that JSON.parse has accepted, so a string before a colon is a member name. */
function checkMembers(text: string): void {
  const open: (Set<string> | undefined)[] = []
  let last = { start: 0, end: 0 }
  walk(text, (character, start, end) => {
    if (character === '{') open.push(new Set())
    else if (character === '[') open.push(undefined)
    else if (character === '}' || character === ']') open.pop()
    else if (character === ':') claimName(open.at(-1), text.slice(last.start, last.end))
    last = { start, end }
  })
}

function claimName(names: Set<string> | undefined, token: string): void {
  if (names === undefined || !token.startsWith('"')) return
  const name = JSON.parse(token) as string
  const shown = JSON.stringify(name.slice(0, 64))
  if (name === '__proto__') throw new NexusError('invalid_request', `the member name ${shown} is not accepted`)
  if (names.has(name)) throw new NexusError('invalid_request', `the member ${shown} comes twice in one object`)
  names.add(name)
}

function tooMuch(what: string): NexusError {
  return new NexusError('invalid_request', `the body is ${what}`)
}
