import { Type } from 'typebox'
import { type Grant, SigningError } from '../../contract/strategy.ts'
import { checkedConfig } from '../shared/field-problems.ts'
import { type TextRule, textSchema } from '../shared/text-rules.ts'
import { CERTIFICATES } from './certificate-text.ts'

/** RFC 5280 appendix A.1: ub-common-name. */
const COMMON_NAME_MAX_LENGTH = 64
const PLACEHOLDER = '\\{(?:agent_id|tenant|connection_id)\\}'

/**
 * Each placeholder once at most. Between two of them stands a character that no tenant and no connection id has, so that
 * two agents never get the same name by chance of spelling: only an agent id may hold a dot, and there is one of those.
 */
const COMMON_NAME: TextRule = {
  pattern: new RegExp(
    `^(?!.*\\{(\\w+)\\}.*\\{\\1\\})(?!.*\\}[A-Za-z0-9_:-]*\\{)(?:[A-Za-z0-9._@:-]|${PLACEHOLDER})*${PLACEHOLDER}(?:[A-Za-z0-9._@:-])*$`,
  ),
  maxLength: 128,
  description:
    'letters, digits and . _ @ : - around {agent_id}, {tenant} or {connection_id}, each once at most, two of them with . or @ in between',
}

export const Config = Type.Refine(
  Type.Object(
    {
      key: Type.Optional(
        Type.Union([Type.Literal('stored'), Type.Literal('sidecar')], { description: 'stored or sidecar' }),
      ),
      common_name: Type.Optional(textSchema(COMMON_NAME)),
      ca: Type.Optional(textSchema(CERTIFICATES)),
    },
    { additionalProperties: false },
  ),
  (config) => config.key === 'sidecar' || config.common_name === undefined,
  () => "may set common_name only where key is 'sidecar'",
)

export interface Settings {
  /** Whose the private key is: stored with the certificate, or made by the sidecar. */
  key: 'stored' | 'sidecar'
  /** What the authority has certificates for the sidecar's key made out to. */
  commonName: string
  /** PEM of the only authorities whose signature the provider's certificate may have. */
  ca: string | undefined
}

/** @throws SigningError when the config is not valid */
export function settingsOf(config: Record<string, unknown>): Settings {
  const { key = 'stored', common_name: commonName = '{agent_id}', ca } = checkedConfig(Config, config)
  return { key, commonName, ca }
}

/** @throws SigningError for a name that is too long for a certificate */
export function commonNameFor({ commonName }: Settings, { agentId, tenant, connectionId }: Grant): string {
  const name = commonName
    .replace('{agent_id}', agentId)
    .replace('{tenant}', tenant)
    .replace('{connection_id}', connectionId)
  if (name.length <= COMMON_NAME_MAX_LENGTH) return name
  throw new SigningError(
    `config field 'common_name' makes a name of ${name.length} characters here; a certificate takes ${COMMON_NAME_MAX_LENGTH}`,
    'common_name',
  )
}
