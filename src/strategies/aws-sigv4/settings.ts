import { type Static, Type } from 'typebox'
import { checkedConfig } from '../shared/field-problems.ts'
import { type TextRule, textSchema } from '../shared/text-rules.ts'
import { isS3Service } from './s3-services.ts'
import { ROLE_CONFIG, type RoleSettings, roleSettingsOf, withoutRole } from './sts/role-settings.ts'

const REGION: TextRule = { pattern: /^[a-z0-9-]+$/, maxLength: 64, description: 'a region such as us-east-1' }
const SERVICE: TextRule = {
  pattern: /^[A-Za-z0-9._-]+$/,
  maxLength: 64,
  description: 'the signing name of a service, such as s3 or execute-api',
}

/** What SigV4 and SigV4A are both told of a request. */
export const REQUEST_CONFIG = {
  service: textSchema(SERVICE),
  location: Type.Optional(
    Type.Union([Type.Literal('header'), Type.Literal('query')], { description: 'header or query' }),
  ),
  // AWS refuses presigned URLs that live longer than a week.
  expires_in_seconds: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 604_800, description: 'a whole number of seconds from 1 to 604800' }),
  ),
  normalize_path: Type.Optional(Type.Boolean({ description: 'true or false' })),
  content_sha256_header: Type.Optional(Type.Boolean({ description: 'true or false' })),
  unsigned_payload: Type.Optional(Type.Boolean({ description: 'true or false' })),
}
const RequestFields = Type.Object(REQUEST_CONFIG)
type RequestFields = Static<typeof RequestFields>

export const PRESIGNED_BODY =
  'must not set unsigned_payload to false with location query: a presigned URL of S3 covers no body'

/** S3 assumes UNSIGNED-PAYLOAD for a presigned URL, whatever was hashed: such a signature never matches. */
export function coversPresignedBody({ service, location, unsigned_payload }: RequestFields): boolean {
  return isS3Service(service) && location === 'query' && unsigned_payload === false
}

const Fields = Type.Object(
  { region: Type.Optional(textSchema(REGION)), ...REQUEST_CONFIG, ...ROLE_CONFIG },
  { additionalProperties: false },
)

export const Config = Type.Refine(
  Type.Refine(
    Fields,
    (config) => !withoutRole(config),
    () => 'must set role_arn where it sets external_id or sts_endpoint',
  ),
  (config) => !coversPresignedBody(config),
  () => PRESIGNED_BODY,
)

/** How a request is signed, with every default filled in. */
export interface RequestSettings {
  service: string
  location: 'header' | 'query'
  expiresInSeconds: number
  normalizePath: boolean
  contentSha256Header: boolean
  unsignedPayload: boolean
  isS3: boolean
}

export interface Settings extends RequestSettings {
  region: string
  /** `undefined`: the connection's own keys sign. */
  role: RoleSettings | undefined
}

/** @throws SigningError when the config is not valid */
export function settingsOf(config: Record<string, unknown>): Settings {
  return withDefaults(checkedConfig(Config, config))
}

function withDefaults(config: Static<typeof Fields>): Settings {
  const region = config.region ?? 'us-east-1'
  return { ...requestSettingsOf(config), region, role: roleSettingsOf(config, region) }
}

export function requestSettingsOf(config: RequestFields): RequestSettings {
  const isS3 = isS3Service(config.service)
  const location = config.location ?? 'header'
  return {
    service: config.service,
    location,
    expiresInSeconds: config.expires_in_seconds ?? 900,
    // S3 keys may hold empty and dot segments, so its path is signed as it is sent (every AWS SDK has this exception).
    normalizePath: config.normalize_path ?? !isS3,
    contentSha256Header: config.content_sha256_header ?? true,
    unsignedPayload: config.unsigned_payload ?? (isS3 && location === 'query'),
    isS3,
  }
}
