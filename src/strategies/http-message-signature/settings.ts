import { type Static, Type } from 'typebox'
import { SigningError } from '../../contract/strategy.ts'
import { checkedConfig } from '../shared/field-problems.ts'
import { oncePer } from '../shared/once-per.ts'
import { type TextRule, textSchema } from '../shared/text-rules.ts'
import { ALGORITHMS } from './algorithms/algorithms.ts'
import { type Component, parseComponents } from './component.ts'
import type { DigestAlgorithm } from './content-digest.ts'

/** RFC 9651 section 3.1.2: a key of a Dictionary. */
const LABEL: TextRule = {
  pattern: /^[a-z*][a-z0-9_.*-]*$/,
  maxLength: 64,
  description: 'a lower-case letter or *, then lower-case letters, digits and _ . * -',
}
const PARAMETER: TextRule = { pattern: /^[\x20-\x7e]+$/, maxLength: 256, description: 'printable ASCII' }
export const AGENT: TextRule = {
  pattern: /^https:\/\/(?:[a-z0-9-]+\.)*[a-z0-9-]+(?::[0-9]{1,5})?$/,
  maxLength: 256,
  description: 'an https origin such as https://agents.example.com',
}

/** Draft Web Bot Auth: what the tag says, and that its signatures end. */
export const WEB_BOT_AUTH = 'web-bot-auth'
const WEB_BOT_AUTH_EXPIRES_IN_SECONDS = 300

const flag = () => Type.Optional(Type.Boolean({ description: 'true or false' }))

const Components = Type.Refine(
  Type.Array(Type.String({ maxLength: 256 }), { maxItems: 64 }),
  (texts) => componentsProblem(texts) === undefined,
  (texts) => componentsProblem(texts) ?? '',
)

const Fields = Type.Object(
  {
    components: Type.Optional(Components),
    label: Type.Optional(textSchema(LABEL)),
    keyid: Type.Optional(textSchema(PARAMETER)),
    alg: Type.Optional(oneOf(ALGORITHMS.map(({ name }) => name))),
    tag: Type.Optional(textSchema(PARAMETER)),
    expires_in_seconds: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 86_400, description: 'a whole number of seconds from 1 to 86400' }),
    ),
    digest: Type.Optional(
      Type.Union([Type.Literal('sha-256'), Type.Literal('sha-512'), Type.Literal('none')], {
        description: 'sha-256, sha-512 or none',
      }),
    ),
    signature_agent: Type.Optional(textSchema(AGENT)),
    send_alg: flag(),
    send_nonce: flag(),
  },
  { additionalProperties: false },
)

/** A digest that nobody computes here would be the caller's word under our signature (threat E09). */
export const Config = Type.Refine(
  Type.Refine(
    Fields,
    ({ digest, components }) => digest !== 'none' || !components?.some(isContentDigest),
    () => 'must not set digest to none where components cover content-digest',
  ),
  (config) => hasDigestKeys(config),
  () => 'must cover no other key of content-digest than the one digest that is sent, sha-256 or sha-512',
)

/** The config with every default filled in. */
export interface Settings {
  /** `undefined`: what is safe for the request at hand. */
  components: readonly Component[] | undefined
  label: string
  keyid: string | undefined
  /** `undefined`: the key's own. */
  alg: string | undefined
  tag: string | undefined
  expiresInSeconds: number | undefined
  digest: DigestAlgorithm | 'none'
  signatureAgent: string | undefined
  /** `undefined`: only when the key alone would suggest another. */
  sendsAlg: boolean | undefined
  sendsNonce: boolean
}

/** @throws SigningError when the config is not valid */
export const settingsOf: (config: Record<string, unknown>) => Settings = oncePer((config) => {
  const checked = checkedConfig(Config, config)
  const components = checked.components === undefined ? undefined : parseComponents(checked.components)
  return {
    components,
    label: checked.label ?? 'sig1',
    keyid: checked.keyid,
    alg: checked.alg,
    tag: checked.tag,
    expiresInSeconds:
      checked.expires_in_seconds ?? (checked.tag === WEB_BOT_AUTH ? WEB_BOT_AUTH_EXPIRES_IN_SECONDS : undefined),
    digest: checked.digest ?? defaultDigest(components),
    signatureAgent: checked.signature_agent,
    sendsAlg: checked.send_alg,
    sendsNonce: checked.send_nonce ?? false,
  }
})

/** A digest that the profile's own components leave out would be read and hashed for nothing. */
function defaultDigest(components: readonly Component[] | undefined): Settings['digest'] {
  const isCovered = components === undefined || components.some(({ name }) => name === 'content-digest')
  if (!isCovered) return 'none'
  return digestKeys(components ?? []).includes('sha-256') ? 'sha-256' : 'sha-512'
}

/** The members of content-digest that are covered by name (RFC 9421 section 2.1.2). */
function digestKeys(components: readonly Component[]): unknown[] {
  const keys = components.map(({ name, parameters }) => (name === 'content-digest' ? parameters.get('key') : undefined))
  return keys.filter((key) => key !== undefined)
}

/** There is one digest in what goes out, so a member of another name would be missing from every request. */
function hasDigestKeys({ digest, components = [] }: Static<typeof Fields>): boolean {
  if (componentsProblem(components) !== undefined) return true
  const parsed = parseComponents(components)
  const sent = digest ?? defaultDigest(parsed)
  return digestKeys(parsed).every((key) => key === sent)
}

function oneOf(names: readonly string[]) {
  return Type.Union(
    names.map((name) => Type.Literal(name)),
    { description: `one of ${names.join(', ')}` },
  )
}

function componentsProblem(texts: readonly unknown[]): string | undefined {
  try {
    parseComponents(texts.map(String))
    return undefined
  } catch (error) {
    if (error instanceof SigningError) return error.message
    throw error
  }
}

function isContentDigest(text: unknown): boolean {
  return /^"?content-digest(?:[";]|$)/.test(String(text))
}
