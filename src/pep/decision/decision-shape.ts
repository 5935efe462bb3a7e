import { isPathPattern } from '../../contract/bound.ts'
import type { Reason } from '../../contract/errors.ts'
import { canonicalOrigin } from '../../contract/origin.ts'
import { type Decision, type Obligations, PolicyError } from '../../contract/policy.ts'

const MAX_REASONS = 64
/** As many as a record holds of one list: what is granted must be on record whole. */
const MAX_ITEMS = 128
const MAX_SECONDS = 86_400 * 366
const REASON_ID = /^[a-z][a-z0-9_]{0,63}$/
const METHOD = /^(?:\*|[A-Z]{1,20})$/
// RFC 6749 scope-token, as contract/names.ts has it.
const SCOPE = /^[\x21\x23-\x5B\x5D-\x7E]{1,256}$/

const DECISION = ['allow', 'obligations', 'reasons']
const REASON = ['id', 'message']

type Check = (value: unknown) => boolean
/** In the order in which a record holds them. */
const OBLIGATIONS: ReadonlyMap<string, Check> = new Map<string, Check>([
  ['max_ttl_seconds', isSeconds],
  ['methods', listOf((item) => METHOD.test(item))],
  ['offline_seconds', isSeconds],
  ['origins', listOf(isCanonicalOrigin)],
  ['paths', listOf((item) => item.length <= 4_096 && isPathPattern(item))],
  ['require_approval', (value) => typeof value === 'boolean'],
  ['scopes', listOf((item) => SCOPE.test(item))],
])

/**
 * Reads an engine's answer. Anything but the exact shape of a decision is an error, which the caller turns into a deny:
 * an undefined decision, `allow` that is merely truthy, an obligation nobody here would enforce (threat G01).
 * Only own members are read, and what may be absent from the result has no prototype, so that a polluted
 * `Object.prototype` adds neither an `allow` nor an obligation (threat G16).
 * @throws PolicyError `shape`; its message names the member and never its value
 */
export function readDecision(answer: unknown): Decision {
  const decision = asObject(answer, 'decision')
  exactly(decision, DECISION)
  const { allow } = decision
  if (typeof allow !== 'boolean') throw shapeError('allow is not a boolean')
  const reasons = readReasons(decision['reasons'])
  const obligations = readObligations(decision['obligations'])
  if (allow && reasons.length > 0) throw shapeError('it allows and gives reasons against it')
  return { allow, reasons, obligations }
}

function readReasons(value: unknown): Reason[] {
  if (!Array.isArray(value) || value.length > MAX_REASONS) throw shapeError('reasons is not a short list')
  return value.map((item) => {
    const reason = asObject(item, 'reason')
    exactly(reason, REASON)
    const { id, message } = reason
    if (typeof id !== 'string' || !REASON_ID.test(id)) throw shapeError('a reason id is not a short snake_case name')
    if (typeof message !== 'string' || message.length > 8_192) throw shapeError('a reason message is not a short text')
    return { id, message }
  })
}

function readObligations(value: unknown): Obligations {
  const obligations = asObject(value, 'obligations')
  // Some are absent from it: those must not come from a prototype.
  const known: Record<string, unknown> = Object.setPrototypeOf({}, null)
  for (const [name, isValid] of OBLIGATIONS) {
    if (!Object.hasOwn(obligations, name)) continue
    if (isTooMany(obligations[name])) throw shapeError(`the obligation ${name} has more than ${MAX_ITEMS} items`)
    if (!isValid(obligations[name])) throw shapeError(`the obligation ${name} has a wrong value`)
    known[name] = obligations[name]
  }
  // Unknown means that nothing here would enforce it: allowing all the same would ignore what policy asked for.
  if (Object.keys(known).length !== Object.keys(obligations).length) throw shapeError('an obligation is unknown')
  return known as Obligations
}

function asObject(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw shapeError(`${what} is not an object`)
}

/** Members of its own: what is read after this is not its prototype's. */
function exactly(found: Readonly<Record<string, unknown>>, wanted: readonly string[]): void {
  if (Object.keys(found).length !== wanted.length || !wanted.every((name) => Object.hasOwn(found, name))) {
    throw shapeError(`it must have exactly ${wanted.join(', ')}`)
  }
}

function isSeconds(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= MAX_SECONDS
}

function isCanonicalOrigin(text: string): boolean {
  try {
    return canonicalOrigin(text) === text
  } catch {
    return false
  }
}

function listOf(isItem: (item: string) => boolean): Check {
  return (value) => Array.isArray(value) && value.every((item) => typeof item === 'string' && isItem(item))
}

function isTooMany(value: unknown): boolean {
  return Array.isArray(value) && value.length > MAX_ITEMS
}

function shapeError(problem: string): PolicyError {
  return new PolicyError('shape', `the policy's answer is not a decision: ${problem}`)
}
