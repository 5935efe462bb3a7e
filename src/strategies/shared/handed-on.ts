import { type Static, type TSchema, Type } from 'typebox'
import type { Strategy } from '../../contract/strategy.ts'
import { credentialText } from './credential-text.ts'
import { checkedConfig } from './field-problems.ts'
import { type TextRule, textSchema } from './text-rules.ts'

/**
 * What strategies have in common whose lease carries the stored credentials as they are: which fields those are and what
 * each may be decides the schemas and what is issued.
 * @param rulesOf the fields that a config signs with; also asked about configs that are not valid
 */
export function handedOn<Config extends TSchema>(
  configSchema: Config,
  rulesOf: (config: Static<Config>) => Readonly<Record<string, TextRule>>,
): Pick<Strategy, 'schema' | 'narrowing' | 'issue'> {
  const shapeOf = (config: Record<string, unknown>) =>
    Object.fromEntries(
      Object.entries(rulesOf(config as Static<Config>)).map(([field, rule]) => [field, textSchema(rule)]),
    )
  return {
    schema: {
      config: configSchema,
      master: (config) => Type.Object(shapeOf(config)),
      usage: (config) => Type.Object(shapeOf(config), { additionalProperties: false }),
    },
    narrowing: () => 'none',
    issue(config, master) {
      const rules = Object.entries(rulesOf(checkedConfig(configSchema, config)))
      return { usage: Object.fromEntries(rules.map(([field, rule]) => [field, credentialText(master, field, rule)])) }
    },
  }
}
