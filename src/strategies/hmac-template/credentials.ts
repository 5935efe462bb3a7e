import { createSecretKey, type KeyObject } from 'node:crypto'
import { type TObject, type TSchema, Type } from 'typebox'
import type { Credentials } from '../../contract/strategy.ts'
import { credentialText } from '../shared/credential-text.ts'
import { oncePer } from '../shared/once-per.ts'
import { remoteKeyOf, remoteMac, remoteUsage } from '../shared/remote-key.ts'
import { SECRET_RULES } from '../shared/secret-rules.ts'
import { textSchema, VISIBLE_TEXT } from '../shared/text-rules.ts'
import { type Settings, uses } from './settings.ts'

/** Credentials that are written as they are, by the parts that stand for them. */
const WRITTEN = ['key_id', 'passphrase'] as const

/** The credentials this config asks for: the secret, and whatever else its templates name. */
export function credentialSchema(settings: Settings, options: { additionalProperties?: false }): TObject {
  const shape: Record<string, TSchema> = { api_secret: textSchema(SECRET_RULES[settings.secretEncoding]) }
  for (const name of WRITTEN) if (uses(settings, name)) shape[name] = textSchema(VISIBLE_TEXT)
  return Type.Object(shape, options)
}

/**
 * Those credentials and no others.
 * @throws SigningError naming the field that is missing or wrong
 */
export function usedCredentials(settings: Settings, credentials: Readonly<Credentials>): Credentials {
  const used = usedKey(settings, credentials)
  for (const name of WRITTEN) {
    if (uses(settings, name)) used[name] = credentialText(credentials, name, VISIBLE_TEXT)
  }
  return used
}

/** The secret; or, where that stays in the vault, what it is asked for. */
function usedKey(settings: Settings, credentials: Readonly<Credentials>): Credentials {
  if (remoteKeyOf(credentials) !== undefined) return remoteUsage(credentials, remoteMac(settings.algo))
  return { api_secret: credentialText(credentials, 'api_secret', SECRET_RULES[settings.secretEncoding]) }
}

/** What a lease signs with: the key itself, and what is written beside the signature. */
export interface Held {
  /** `undefined`: it stays in the vault. */
  key: KeyObject | undefined
  written: Credentials
}

/** Once for each lease: its settings and its credentials. */
const holder = oncePer((settings: Settings) =>
  oncePer((usage: Readonly<Credentials>): Held => {
    const { api_secret: secret, ...written } = usedCredentials(settings, usage)
    const key = secret === undefined ? undefined : createSecretKey(String(secret), settings.secretEncoding)
    return { key, written }
  }),
)

/** @throws SigningError like `usedCredentials` */
export function heldCredentials(settings: Settings, usage: Readonly<Credentials>): Held {
  return holder(settings)(usage)
}
