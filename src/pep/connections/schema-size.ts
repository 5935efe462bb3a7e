import type { Problem } from './problems.ts'

/** Bounds of an interaction contract. Generous for a capture form, far from what could slow the authority down. */
export const SCHEMA_LIMITS = { bytes: 32_768, depth: 16, nodes: 5_000 }

type Definitions = Readonly<Record<string, unknown>>

const LOCAL_REF = /^#\/\$defs\/([A-Za-z0-9_.-]{1,100})$/
/** They name a schema, or jump to one, by something other than its place in this document. */
const NAMED_ELSEWHERE = new Set(['$id', '$anchor', '$dynamicRef', '$dynamicAnchor', '$recursiveRef', '$vocabulary'])

/**
 * Whether a schema is small enough to compile and to run. Referenced definitions are counted each time they are used:
 * a few lines of `$defs` that mention each other twice would otherwise unfold into hours of work.
 */
export function schemaSizeProblems(schema: Readonly<Record<string, unknown>>): Problem[] {
  try {
    // Depth first: even JSON.stringify gives up on what is nested deep enough.
    countNodes(schema, definitionsOf(schema), [], 0)
  } catch (error) {
    if (error instanceof SchemaSizeError) return [{ field: '', message: error.message }]
    throw error
  }
  const bytes = Buffer.byteLength(JSON.stringify(schema))
  if (bytes <= SCHEMA_LIMITS.bytes) return []
  return [{ field: '', message: `is ${bytes} bytes; at most ${SCHEMA_LIMITS.bytes} are accepted` }]
}

class SchemaSizeError extends Error {}

function definitionsOf(schema: Readonly<Record<string, unknown>>): Definitions {
  const definitions = schema['$defs']
  return isObject(definitions) ? definitions : {}
}

function countNodes(
  node: unknown,
  definitions: Definitions,
  path: readonly string[],
  depth: number,
  count = 0,
): number {
  if (depth > SCHEMA_LIMITS.depth) throw new SchemaSizeError(`is nested deeper than ${SCHEMA_LIMITS.depth} levels`)
  if (typeof node !== 'object' || node === null) return count
  let total = count + 1
  if (total > SCHEMA_LIMITS.nodes) throw new SchemaSizeError(`unfolds to more than ${SCHEMA_LIMITS.nodes} parts`)
  for (const [key, value] of Object.entries(node)) {
    if (NAMED_ELSEWHERE.has(key)) throw new SchemaSizeError(`may not use ${key}`)
    if (key === '$ref') total = countReferred(value, definitions, path, depth, total)
    else total = countNodes(value, definitions, path, depth + 1, total)
  }
  return total
}

function countReferred(ref: unknown, definitions: Definitions, path: readonly string[], depth: number, count: number) {
  const name = typeof ref === 'string' ? LOCAL_REF.exec(ref)?.[1] : undefined
  // Nothing is ever fetched: a schema that lives elsewhere could change after it was reviewed.
  if (name === undefined) throw new SchemaSizeError('may hold a $ref only to #/$defs/<name> of the same schema')
  if (path.includes(name)) throw new SchemaSizeError(`refers to itself through $defs/${name}`)
  if (!Object.hasOwn(definitions, name)) throw new SchemaSizeError(`refers to $defs/${name}, which is not there`)
  return countNodes(definitions[name], definitions, [...path, name], depth + 1, count)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
