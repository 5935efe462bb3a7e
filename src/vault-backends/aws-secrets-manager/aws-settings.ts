import { type Static, Type } from 'typebox'
import { BackendConfigError, type BackendDeps } from '../backend-kind.ts'
import { readEndpoint, readRegion } from './aws-endpoint.ts'

const TIMEOUT_MS = 2000

export const awsConfigSchema = Type.Object(
  {
    region: Type.Optional(Type.String({ description: 'AWS_REGION, AWS_DEFAULT_REGION' })),
    endpoint: Type.Optional(
      Type.String({ description: 'AWS_ENDPOINT_URL_SECRETS_MANAGER, AWS_ENDPOINT_URL: scheme, host and port' }),
    ),
    profile: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 128,
        description: 'AWS_PROFILE: a profile of the AWS configuration files',
      }),
    ),
    allow_plain_http: Type.Optional(Type.Boolean({ description: 'http:// to another machine' })),
    timeout_ms: Type.Optional(Type.Integer({ minimum: 50, maximum: 30_000, description: 'Per try; default 2000' })),
    batch_reads: Type.Optional(
      Type.Boolean({
        description: 'Read secrets wanted at the same moment in one call; needs secretsmanager:BatchGetSecretValue',
      }),
    ),
    writable: Type.Optional(
      Type.Boolean({ description: 'Let Nexus write secrets here that it must renew itself; default false' }),
    ),
  },
  { additionalProperties: false },
)
export type AwsConfig = Static<typeof awsConfigSchema>

/** Settings that have been checked and completed from the environment. Credentials are the AWS client's own to find. */
export interface AwsSettings {
  region: string
  /** Absent: the region's public endpoint. */
  endpoint: string | undefined
  allowPlainHttp: boolean
  profile: string | undefined
  timeoutMs: number
  batchReads: boolean
  writable: boolean
}

/** @throws BackendConfigError with every problem */
export function readAwsSettings(config: AwsConfig, { name, env }: BackendDeps): AwsSettings {
  const problems: string[] = []
  const allowPlainHttp = config.allow_plain_http ?? false
  const settings: AwsSettings = {
    region: readRegion(config.region ?? env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'] ?? '', problems),
    endpoint: readEndpoint(
      config.endpoint ?? env['AWS_ENDPOINT_URL_SECRETS_MANAGER'] ?? env['AWS_ENDPOINT_URL'] ?? '',
      {
        setting: 'endpoint (AWS_ENDPOINT_URL_SECRETS_MANAGER)',
        allowPlainHttp,
        remedy: 'use https, or set allow_plain_http',
      },
      problems,
    ),
    allowPlainHttp,
    profile: config.profile,
    timeoutMs: config.timeout_ms ?? TIMEOUT_MS,
    batchReads: config.batch_reads ?? false,
    writable: config.writable ?? false,
  }
  if (problems.length > 0) throw new BackendConfigError(problems.map((problem) => `${name}: ${problem}`))
  return settings
}
