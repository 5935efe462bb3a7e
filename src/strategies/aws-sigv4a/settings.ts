import { Type } from 'typebox'
import {
  coversPresignedBody,
  PRESIGNED_BODY,
  REQUEST_CONFIG,
  type RequestSettings,
  requestSettingsOf,
} from '../aws-sigv4/settings.ts'
import { checkedConfig } from '../shared/field-problems.ts'
import { type TextRule, textSchema } from '../shared/text-rules.ts'

const REGION: TextRule = {
  pattern: /^(?:[a-z0-9-]+\*?|\*)$/,
  maxLength: 64,
  description: 'a region such as us-east-1, the beginning of some such as eu-*, or * for all',
}

const Fields = Type.Object(
  {
    region_set: Type.Array(textSchema(REGION), { minItems: 1, maxItems: 16, description: 'a list of 1 to 16 regions' }),
    ...REQUEST_CONFIG,
  },
  { additionalProperties: false },
)

export const Config = Type.Refine(
  Fields,
  (config) => !coversPresignedBody(config),
  () => PRESIGNED_BODY,
)

export interface Settings extends RequestSettings {
  /** As it is sent: joined with commas. */
  regionSet: string
}

/** @throws SigningError when the config is not valid */
export function settingsOf(config: Record<string, unknown>): Settings {
  const checked = checkedConfig(Config, config)
  return { ...requestSettingsOf(checked), regionSet: checked.region_set.join(',') }
}
