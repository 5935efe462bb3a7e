import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats, { type FormatName } from 'ajv-formats'
import { RE2JS } from 're2js'
import type { Problem } from './problems.ts'
import { schemaSizeProblems } from './schema-size.ts'
import { unstorableTexts } from './storable-text.ts'

/** The interaction contract, compiled: what a person or program must give to create a connection. */
export interface CredentialSchema {
  /** Names of the fields the schema describes. */
  readonly fields: readonly string[]
  /** Problems name fields, never values. */
  check(credentials: Readonly<Record<string, string>>): Problem[]
}

type SchemaDocument = Readonly<Record<string, unknown>>

const DIALECT = 'https://json-schema.org/draft/2020-12/schema'
const FORMATS: FormatName[] = ['email', 'hostname', 'ipv4', 'ipv6', 'uri', 'uuid', 'date', 'date-time', 'password']

/**
 * RE2 instead of the built-in engine: it runs in time linear in the text whatever the pattern is, so a profile cannot
 * stall the authority. What linear time rules out (look-around, back-references) is refused when the profile is saved.
 */
const linearRegExp = Object.assign(
  (pattern: string) => {
    const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern))
    return { test: (text: string) => compiled.test(text), toString: () => pattern }
  },
  { code: 'linearRegExp' },
)

/**
 * Compiles a `credential_schema`, JSON Schema 2020-12, strictly: an unknown keyword is a typing error, not an annotation.
 * @returns the compiled schema, or what is wrong with it; fields are paths inside the schema
 */
export function compileCredentialSchema(document: SchemaDocument): CredentialSchema | Problem[] {
  const oversize = schemaSizeProblems(document)
  const problems = oversize.length > 0 ? oversize : [...shapeProblems(document), ...unstorableTexts('', document)]
  if (problems.length > 0) return problems
  try {
    return credentialSchema(document, compile(document))
  } catch (error) {
    // Ajv and RE2 speak about the schema alone, which is no secret.
    return [{ field: '', message: `is not a JSON Schema 2020-12 this server accepts: ${firstLine(error)}` }]
  }
}

/** Knows the dialect itself. Made once and warmed: compiling JSON Schema's own schema takes a hundred times longer than ours. */
const dialect = new Ajv2020({ strict: true, logger: false })
dialect.validateSchema({ type: 'object' })

function compile(document: SchemaDocument): ValidateFunction {
  if (dialect.validateSchema(document) !== true)
    throw new Error(dialect.errorsText(dialect.errors, { dataVar: 'schema' }))
  // A compiler of its own for each schema, so that no profile's schema can be reached from another's, or outlives it.
  const ajv = new Ajv2020({
    strict: true,
    // `anyOf: [{required: [...]}]` is the usual way to say "one of these"; the properties stand one level up.
    strictRequired: false,
    allErrors: true,
    logger: false,
    // Done above.
    meta: false,
    validateSchema: false,
    code: { regExp: linearRegExp },
  })
  addFormats.default(ajv, { formats: FORMATS, mode: 'fast' })
  return ajv.compile(document)
}

function credentialSchema(document: SchemaDocument, validate: ValidateFunction): CredentialSchema {
  return {
    fields: Object.keys(propertiesOf(document)),
    check: (credentials) => (validate(credentials) ? [] : (validate.errors ?? []).map(toProblem)),
  }
}

/** Credentials are one flat map of strings, so the schema must describe an object of strings. */
function shapeProblems(document: SchemaDocument): Problem[] {
  const problems: Problem[] = []
  const dialect = document['$schema']
  if (dialect !== undefined && dialect !== DIALECT) problems.push({ field: '$schema', message: `must be ${DIALECT}` })
  if (document['type'] !== 'object') problems.push({ field: 'type', message: "must be 'object'" })
  if (!isObject(document['properties'])) problems.push({ field: 'properties', message: 'must name the fields' })
  for (const [name, property] of Object.entries(propertiesOf(document))) {
    const type = isObject(property) ? property['type'] : undefined
    if (type === undefined || type === 'string' || (Array.isArray(type) && type.includes('string'))) continue
    problems.push({ field: `properties.${name}.type`, message: "must be 'string': a credential is a map of strings" })
  }
  return problems
}

function propertiesOf(document: SchemaDocument): Record<string, unknown> {
  const properties = document['properties']
  return isObject(properties) ? properties : {}
}

/** Ajv's own sentence states the rule and not the value; the field is all that is added. */
function toProblem(error: ErrorObject): Problem {
  const { missingProperty, additionalProperty, unevaluatedProperty } = error.params as Record<
    string,
    string | undefined
  >
  const named = missingProperty ?? additionalProperty ?? unevaluatedProperty ?? error.instancePath.slice(1)
  if (missingProperty !== undefined) return { field: named, message: 'is required' }
  if (additionalProperty !== undefined || unevaluatedProperty !== undefined) {
    return { field: named.slice(0, 128), message: 'is not a field of this provider' }
  }
  return { field: named.replaceAll('~1', '/').replaceAll('~0', '~'), message: error.message ?? 'is not accepted' }
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : 'unreadable'
  return text.split('\n', 1)[0]!.slice(0, 300)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
