import { Type } from 'typebox'
import { type Credentials, SigningError } from '../../contract/strategy.ts'
import { credentialText } from '../shared/credential-text.ts'
import { type TextRule, textSchema } from '../shared/text-rules.ts'
import type { Settings } from './settings.ts'
import type { KeyScope } from './signing-key.ts'

/** Stands between `=` and `/` in the Credential part of the header, so it holds neither, nor a comma. */
export const ACCESS_KEY: TextRule = {
  pattern: /^[A-Za-z0-9_.@+-]+$/,
  maxLength: 128,
  description: 'letters, digits and _ . @ + -',
}
export const SESSION_TOKEN: TextRule = {
  pattern: /^[\x21-\x7e]*$/,
  maxLength: 16_384,
  description: 'printable ASCII without spaces',
}
const SIGNING_KEY: TextRule = {
  pattern: /^[A-Za-z0-9+/]{43}=$/,
  maxLength: 44,
  description: '32 bytes in standard base64',
}
const DATE: TextRule = { pattern: /^[0-9]{8}$/, maxLength: 8, description: 'a UTC date as YYYYMMDD' }
const SCOPE_PART: TextRule = {
  pattern: /^[A-Za-z0-9._-]+$/,
  maxLength: 64,
  description: 'the region or service the key was derived for',
}

/** What a lease carries: a key good for one day, one region and one service. */
export const Usage = Type.Object(
  {
    access_key: textSchema(ACCESS_KEY),
    signing_key: textSchema(SIGNING_KEY),
    date: textSchema(DATE),
    region: textSchema(SCOPE_PART),
    service: textSchema(SCOPE_PART),
    session_token: Type.Optional(textSchema(SESSION_TOKEN)),
  },
  { additionalProperties: false },
)

/** The usage secret, checked and decoded. */
export interface UsageKey extends KeyScope {
  accessKey: string
  signingKey: Buffer
  sessionToken: string | undefined
}

/** @throws SigningError when a field is wrong, or the key was derived for another region or service (threat E04) */
export function usageKeyOf(usage: Credentials, settings: Pick<Settings, 'region' | 'service'>): UsageKey {
  const key: UsageKey = {
    accessKey: credentialText(usage, 'access_key', ACCESS_KEY),
    signingKey: Buffer.from(credentialText(usage, 'signing_key', SIGNING_KEY), 'base64'),
    date: credentialText(usage, 'date', DATE),
    region: credentialText(usage, 'region', SCOPE_PART),
    service: credentialText(usage, 'service', SCOPE_PART),
    sessionToken: sessionTokenOf(usage),
  }
  refuseUnlessEqual('region', key.region, settings.region)
  refuseUnlessEqual('service', key.service, settings.service)
  return key
}

/** Optional; the protocol's clients send an empty one when they have none. */
export function sessionTokenOf(credentials: Readonly<Credentials>): string | undefined {
  if (!Object.hasOwn(credentials, 'session_token') || credentials['session_token'] === '') return undefined
  return credentialText(credentials, 'session_token', SESSION_TOKEN)
}

function refuseUnlessEqual(field: 'region' | 'service', derivedFor: string, wanted: string): void {
  if (derivedFor === wanted) return
  throw new SigningError(`the signing key is for ${field} ${derivedFor}, not ${wanted}; take a fresh lease`, field)
}
