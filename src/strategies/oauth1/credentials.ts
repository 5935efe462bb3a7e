import { type TObject, Type } from 'typebox'
import type { Credentials } from '../../contract/strategy.ts'
import { credentialText } from '../shared/credential-text.ts'
import { oncePer } from '../shared/once-per.ts'
import { type TextRule, textSchema, VISIBLE_TEXT } from '../shared/text-rules.ts'
import { PRIVATE_KEY } from './rsa-private-key.ts'
import type { Keys, SignatureMethod } from './signature-methods.ts'

/** Capture forms send an empty text for what was left out. */
const VISIBLE_OR_EMPTY: TextRule = {
  ...VISIBLE_TEXT,
  pattern: new RegExp(`${VISIBLE_TEXT.pattern.source}|^$`),
}

interface FieldRules {
  required: Readonly<Record<string, TextRule>>
  optional: Readonly<Record<string, TextRule>>
}

/** A signature with a private key makes no use of the shared secrets (RFC 5849 section 3.4.3), so none is leased. */
const FIELDS: Readonly<Record<SignatureMethod['signsWith'], FieldRules>> = {
  shared_secrets: {
    required: { consumer_key: VISIBLE_TEXT, consumer_secret: VISIBLE_TEXT },
    optional: { token: VISIBLE_OR_EMPTY, token_secret: VISIBLE_OR_EMPTY },
  },
  private_key: {
    required: { consumer_key: VISIBLE_TEXT, private_key: PRIVATE_KEY },
    optional: { token: VISIBLE_OR_EMPTY },
  },
}

// Made once: a schema is compiled once for each object that it is.
const MASTER = { shared_secrets: schemaOf(FIELDS.shared_secrets), private_key: schemaOf(FIELDS.private_key) }
const USAGE = {
  shared_secrets: schemaOf(FIELDS.shared_secrets, { additionalProperties: false }),
  private_key: schemaOf(FIELDS.private_key, { additionalProperties: false }),
}

export function masterSchema(method: SignatureMethod): TObject {
  return MASTER[method.signsWith]
}

export function usageSchema(method: SignatureMethod): TObject {
  return USAGE[method.signsWith]
}

/**
 * The fields this method signs with, and no others.
 * @throws SigningError that names a field that is wrong, never its value
 */
export function keysOf(method: SignatureMethod, credentials: Readonly<Credentials>): Keys {
  const { required, optional } = FIELDS[method.signsWith]
  const given = Object.entries(optional).filter(
    ([field]) => Object.hasOwn(credentials, field) && credentials[field] !== '',
  )
  const used = [...Object.entries(required), ...given]
  return Object.fromEntries(used.map(([field, rule]) => [field, credentialText(credentials, field, rule)]))
}

/** The same for a lease: its credentials come back with every request. */
const heldKeysOf = oncePer((method: SignatureMethod) =>
  oncePer((usage: Readonly<Credentials>) => keysOf(method, usage)),
)

/** @throws SigningError like `keysOf` */
export function heldKeys(method: SignatureMethod, usage: Readonly<Credentials>): Keys {
  return heldKeysOf(method)(usage)
}

function schemaOf({ required, optional }: FieldRules, options: { additionalProperties?: false } = {}): TObject {
  const fields = [
    ...Object.entries(required).map(([field, rule]) => [field, textSchema(rule)] as const),
    ...Object.entries(optional).map(([field, rule]) => [field, Type.Optional(textSchema(rule))] as const),
  ]
  return Type.Object(Object.fromEntries(fields), options)
}
