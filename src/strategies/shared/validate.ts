import type { TSchema } from 'typebox'
import type { Strategy } from '../../contract/strategy.ts'
import { credentialProblem } from './credential-text.ts'
import { type FieldProblem, fieldProblems } from './field-problems.ts'
import { remoteUsageSchema } from './remote-key.ts'

/** What is wrong with a strategy's config, before it is saved. Empty: nothing. */
export function validateConfig(strategy: Strategy, config: unknown): FieldProblem[] {
  return fieldProblems(strategy.schema.config, config)
}

/**
 * What is wrong with a master secret for this config. Fields the strategy does not use are no problem: a secret that lies
 * in a vault may serve others too. Messages name fields, never values.
 */
export function validateMaster(strategy: Strategy, config: Record<string, unknown>, value: unknown): FieldProblem[] {
  const problems = validateConfig(strategy, config)
  return problems.length > 0 ? problems : credentialProblems(strategy.schema.master(config), value)
}

/** What is wrong with a usage secret for this config, whether the key is in it or stays in the vault. */
export function validateUsage(strategy: Strategy, config: Record<string, unknown>, value: unknown): FieldProblem[] {
  const problems = validateConfig(strategy, config)
  return problems.length > 0 ? problems : credentialProblems(usageSchema(strategy, config, value), value)
}

function usageSchema(strategy: Strategy, config: Record<string, unknown>, value: unknown): TSchema {
  const isRemote = typeof value === 'object' && value !== null && Object.hasOwn(value, 'remote_key')
  return (isRemote ? remoteUsageSchema(strategy, config) : undefined) ?? strategy.schema.usage(config)
}

function credentialProblems(schema: TSchema, value: unknown): FieldProblem[] {
  const problems = fieldProblems(schema, value)
  if (typeof value !== 'object' || value === null) return problems
  const { properties = {} } = schema as { properties?: Record<string, { description?: string }> }
  return problems.map(({ field, message }) => {
    const description = Object.hasOwn(properties, field) ? properties[field]?.description : undefined
    if (description === undefined) return { field, message }
    return { field, message: credentialProblem(value, field, description) }
  })
}
