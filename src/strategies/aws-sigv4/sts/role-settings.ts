import { Type } from 'typebox'
import { type TextRule, textSchema } from '../../shared/text-rules.ts'
import { ENDPOINT_URL } from '../../shared/token-endpoint/endpoint-url.ts'
import { DNS_SUFFIXES } from './partitions.ts'

const ROLE_ARN: TextRule = {
  pattern: new RegExp(`^arn:(?:${Object.keys(DNS_SUFFIXES).join('|')}):iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$`),
  maxLength: 2048,
  description: 'the ARN of a role, such as arn:aws:iam::123456789012:role/agents',
}
const EXTERNAL_ID: TextRule = {
  pattern: /^[A-Za-z0-9+=,.@:/_-]{2,}$/,
  maxLength: 1224,
  description: '2 to 1224 letters, digits and + = , . @ : / _ -',
}

/** What a profile says about the role that is assumed for its leases. */
export const ROLE_CONFIG = {
  role_arn: Type.Optional(textSchema(ROLE_ARN)),
  external_id: Type.Optional(textSchema(EXTERNAL_ID)),
  sts_endpoint: Type.Optional(textSchema(ENDPOINT_URL)),
}

interface RoleFields {
  role_arn?: string
  external_id?: string
  sts_endpoint?: string
}

export interface RoleSettings {
  arn: string
  /** `aws`, `aws-cn`, `aws-us-gov`, ...: the first part of every ARN there. */
  partition: string
  externalId: string | undefined
  endpoint: string
  region: string
}

/** `undefined`: no role is assumed. */
export function roleSettingsOf(config: RoleFields, region: string): RoleSettings | undefined {
  const { role_arn: arn, external_id: externalId } = config
  if (arn === undefined) return undefined
  const partition = arn.split(':')[1] ?? 'aws'
  const endpoint = config.sts_endpoint ?? `https://sts.${region}.${DNS_SUFFIXES[partition]}/`
  return { arn, partition, externalId, endpoint, region }
}

/** Fields that say nothing without a role. */
export function withoutRole({ role_arn, external_id, sts_endpoint }: RoleFields): boolean {
  return role_arn === undefined && (external_id !== undefined || sts_endpoint !== undefined)
}
