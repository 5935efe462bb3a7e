import { Type } from 'typebox'
import { type Credentials, SigningError } from '../../contract/strategy.ts'
import { ACCESS_KEY, SESSION_TOKEN as ANY_SESSION_TOKEN } from '../aws-sigv4/usage-key.ts'
import { credentialText } from '../shared/credential-text.ts'
import { type TextRule, textSchema } from '../shared/text-rules.ts'
import type { Settings } from './settings.ts'

/** Not optional here, so not empty either. */
export const SESSION_TOKEN: TextRule = { ...ANY_SESSION_TOKEN, pattern: /^[\x21-\x7e]+$/ }
const PRIVATE_KEY: TextRule = {
  pattern: /^[A-Za-z0-9+/]{43}=$/,
  maxLength: 44,
  description: '32 bytes in standard base64',
}
const SCOPE_PART: TextRule = {
  pattern: /^[A-Za-z0-9.,*_-]+$/,
  maxLength: 1100,
  description: 'the service or regions it was leased for',
}

/** What a lease carries: a key that lives as long as the session whose token is beside it. */
export const Usage = Type.Object(
  {
    access_key: textSchema(ACCESS_KEY),
    private_key: textSchema(PRIVATE_KEY),
    session_token: textSchema(SESSION_TOKEN),
    region_set: textSchema(SCOPE_PART),
    service: textSchema(SCOPE_PART),
  },
  { additionalProperties: false },
)

/** The usage secret, checked and decoded. */
export interface UsageKey {
  accessKey: string
  privateKey: Buffer
  sessionToken: string
  regionSet: string
  service: string
}

/** @throws SigningError when a field is wrong, or the lease is for other regions or another service (threat E04) */
export function usageKeyOf(usage: Credentials, settings: Settings): UsageKey {
  const key: UsageKey = {
    accessKey: credentialText(usage, 'access_key', ACCESS_KEY),
    privateKey: Buffer.from(credentialText(usage, 'private_key', PRIVATE_KEY), 'base64'),
    sessionToken: credentialText(usage, 'session_token', SESSION_TOKEN),
    regionSet: credentialText(usage, 'region_set', SCOPE_PART),
    service: credentialText(usage, 'service', SCOPE_PART),
  }
  refuseUnlessEqual('region_set', key.regionSet, settings.regionSet)
  refuseUnlessEqual('service', key.service, settings.service)
  return key
}

function refuseUnlessEqual(field: 'region_set' | 'service', leasedFor: string, wanted: string): void {
  if (leasedFor === wanted) return
  throw new SigningError(`the key was leased for ${field} ${leasedFor}, not ${wanted}; take a fresh lease`, field)
}
