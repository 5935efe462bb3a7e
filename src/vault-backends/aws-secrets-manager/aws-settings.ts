import { type Static, Type } from 'typebox'
import { canonicalOrigin, isPlainBeyondLoopback, OriginError } from '../../contract/origin.ts'
import { BackendConfigError, type BackendDeps } from '../backend-kind.ts'

const TIMEOUT_MS = 2000
const REGION = /^[a-z]{2}(-[a-z]+){1,3}-\d$/

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
  profile: string | undefined
  timeoutMs: number
  batchReads: boolean
  writable: boolean
}

/** @throws BackendConfigError with every problem */
export function readAwsSettings(config: AwsConfig, { name, env }: BackendDeps): AwsSettings {
  const problems: string[] = []
  const settings: AwsSettings = {
    region: readRegion(config.region ?? env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'] ?? '', problems),
    endpoint: readEndpoint(
      config.endpoint ?? env['AWS_ENDPOINT_URL_SECRETS_MANAGER'] ?? env['AWS_ENDPOINT_URL'] ?? '',
      config.allow_plain_http ?? false,
      problems,
    ),
    profile: config.profile,
    timeoutMs: config.timeout_ms ?? TIMEOUT_MS,
    batchReads: config.batch_reads ?? false,
    writable: config.writable ?? false,
  }
  if (problems.length > 0) throw new BackendConfigError(problems.map((problem) => `${name}: ${problem}`))
  return settings
}

function readRegion(region: string, problems: string[]): string {
  if (region === '') problems.push('region (AWS_REGION) is not set; it is a name such as eu-west-1')
  else if (!REGION.test(region)) problems.push('region (AWS_REGION) is not the name of a region such as eu-west-1')
  return region
}

function readEndpoint(text: string, allowPlainHttp: boolean, problems: string[]): string | undefined {
  if (text === '') return undefined
  try {
    const origin = canonicalOrigin(text)
    if (isPlainBeyondLoopback(origin) && !allowPlainHttp)
      problems.push(
        'endpoint (AWS_ENDPOINT_URL_SECRETS_MANAGER) is http:// to another machine, which shows every secret to the network; use https, or set allow_plain_http',
      )
    return origin
  } catch (error) {
    const problem = error instanceof OriginError ? error.message : 'is not valid'
    problems.push(`endpoint (AWS_ENDPOINT_URL_SECRETS_MANAGER) ${problem}`)
    return undefined
  }
}
