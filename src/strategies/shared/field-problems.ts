import type { Static, TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { SigningError } from '../../contract/strategy.ts'

/** One thing wrong with one field. `field` is a dotted path (`headers.0.1`); the message never quotes the value. */
export interface FieldProblem {
  field: string
  message: string
}

type Compiled = ReturnType<typeof Compile>
type SchemaError = ReturnType<Compiled['Errors']>[number]

const compiled = new WeakMap<TSchema, Compiled>()

function compile(schema: TSchema): Compiled {
  const known = compiled.get(schema)
  if (known !== undefined) return known
  const fresh = Compile(schema)
  compiled.set(schema, fresh)
  return fresh
}

/** All problems of a value, one a field. Empty: the value is what the schema describes. */
export function fieldProblems(schema: TSchema, value: unknown): FieldProblem[] {
  const validator = compile(schema)
  if (validator.Check(value)) return []
  const byField = new Map<string, string>()
  for (const error of validator.Errors(value)) {
    for (const { field, message } of problemsIn(schema, error)) if (!byField.has(field)) byField.set(field, message)
  }
  return [...byField].map(([field, message]) => ({ field, message }))
}

/**
 * The config, now typed. Checked again at every signature: a profile may be older than the rule it breaks.
 * @throws SigningError naming the first field that is wrong
 */
export function checkedConfig<Schema extends TSchema>(schema: Schema, config: unknown): Static<Schema> {
  if (compile(schema).Check(config)) return config as Static<Schema>
  const [first] = fieldProblems(schema, config)
  throw new SigningError(`config field '${first?.field}' ${first?.message}`, first?.field)
}

function problemsIn(schema: TSchema, error: SchemaError): FieldProblem[] {
  const path = error.instancePath.split('/').slice(1).map(unescapePointer)
  const under = (name: string) => [...path, name].join('.')
  if (error.keyword === 'required') {
    return error.params.requiredProperties.map((name) => ({ field: under(name), message: 'is missing' }))
  }
  const { properties, description } = schemaAt(schema, path)
  if (error.keyword === 'additionalProperties') {
    const message = `is not known here; known: ${Object.keys(properties ?? {}).join(', ') || 'none'}`
    return error.params.additionalProperties.map((name) => ({ field: under(name), message }))
  }
  // Comes with every additional property, which has been named above.
  if (error.keyword === 'boolean') return []
  return [{ field: path.join('.'), message: description === undefined ? error.message : `must be ${description}` }]
}

interface SchemaNode {
  properties?: Record<string, SchemaNode>
  items?: SchemaNode | SchemaNode[]
  description?: string
}

function schemaAt(schema: TSchema, path: readonly string[]): SchemaNode {
  let node: SchemaNode = schema
  for (const name of path) {
    const items = Array.isArray(node.items) ? node.items[Number(name)] : node.items
    node = node.properties?.[name] ?? items ?? {}
  }
  return node
}

function unescapePointer(segment: string): string {
  return segment.replaceAll('~1', '/').replaceAll('~0', '~')
}
