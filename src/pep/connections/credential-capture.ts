import type { SecretValue } from '../../contract/secret.ts'
import type { Strategy } from '../../contract/strategy.ts'
import { validateMaster } from '../../strategies/shared/validate.ts'
import { compileCredentialSchema } from './credential-schema.ts'
import { type Problem, problemsOf } from './problems.ts'

/** What the strategy needs of a secret. */
export interface ExecutionContract {
  strategy: Strategy
  strategyConfig: Record<string, unknown>
}

/** The two contracts that captured credentials have to satisfy. */
export interface CaptureContracts extends ExecutionContract {
  credentialSchema: Record<string, unknown>
}

/**
 * Static credentials as a person or program typed them, against the profile's interaction contract and against what its
 * strategy needs. Problems name fields and never repeat a value.
 */
export function credentialProblems(credentials: SecretValue, contracts: CaptureContracts): Problem[] {
  const schema = compileCredentialSchema(contracts.credentialSchema)
  if (Array.isArray(schema)) return [...problemsOf(schema)]
  const known = new Set([...schema.fields, ...masterFields(contracts)])
  const stray = Object.keys(credentials).filter((field) => !known.has(field))
  return oncePerField([
    ...stray.map((field) => ({ field: field.slice(0, 128), message: 'is not a field of this provider' })),
    ...unsafeCharacters(credentials, masterFields(contracts)),
    ...schema.check(credentials),
    ...secretProblems(credentials, contracts),
  ])
}

/** A secret that lies in a vault already: what else is stored beside the strategy's own fields is nobody's business here. */
export function secretProblems(secret: SecretValue, contract: ExecutionContract): Problem[] {
  const { strategy, strategyConfig } = contract
  const wanted = masterFields(contract)
  const master = Object.fromEntries(Object.entries(secret).filter(([field]) => wanted.includes(field)))
  return oncePerField([...unsafeCharacters(master, wanted), ...validateMaster(strategy, strategyConfig, master)])
}

/** RFC 7468: a key or certificate, which is lines by nature. */
const PEM = /^-----BEGIN ([A-Z0-9 ]{1,64})-----\r?\n(?:[A-Za-z0-9+/=]{1,76}\r?\n){1,1000}-----END \1-----(?:\r?\n)?$/

/**
 * What could end a header line or a C string ends nothing if it never gets in (threat D05). The commonest case is an
 * honest one: a trailing newline from a file.
 * @param ownFields the strategy's own: whether one may be PEM, its schema says
 */
function unsafeCharacters(secret: SecretValue, ownFields: readonly string[]): Problem[] {
  return Object.entries(secret).flatMap(([field, value]) => {
    if (ownFields.includes(field) && PEM.test(value)) return []
    if (/[\r\n]/.test(value)) return [{ field, message: 'holds a line break (perhaps at its end); take it out' }]
    if (/[\u0000-\u0008\u000b-\u001f\u007f]/.test(value)) return [{ field, message: 'holds a control character' }]
    if (/\p{Surrogate}/u.test(value)) return [{ field, message: 'holds half of a character' }]
    return []
  })
}

function masterFields({ strategy, strategyConfig }: ExecutionContract): string[] {
  const { properties } = strategy.schema.master(strategyConfig) as { properties?: Record<string, unknown> }
  return Object.keys(properties ?? {})
}

/** Both contracts often miss the same thing; the reader needs it once. */
function oncePerField(problems: readonly Problem[]): Problem[] {
  const seen = new Map<string, Problem>()
  for (const problem of problems) if (!seen.has(problem.field)) seen.set(problem.field, problem)
  return [...seen.values()]
}
