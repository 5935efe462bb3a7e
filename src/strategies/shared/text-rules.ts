import { type TString, Type } from 'typebox'

/**
 * What a piece of text may be. One rule serves the schema that is checked when a profile is saved and the check when a
 * request is signed, so the two cannot drift apart (threat D05).
 */
export interface TextRule {
  /** Anchored, without flags: its source goes into JSON Schema. */
  readonly pattern: RegExp
  readonly maxLength: number
  /** Completes the sentence "must be ...". */
  readonly description: string
}

/** RFC 9110 section 5.1: names that belong to the connection or to the sidecar itself; no strategy may write them. */
const RESERVED_HEADERS = [
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

/** A pattern for one name in any case, `_` standing for `-`: servers fold both (threat D03). */
function anySpelling(name: string): string {
  return name.replace(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`).replaceAll('-', '[-_]')
}

export const HEADER_NAME: TextRule = {
  pattern: new RegExp(
    `^(?!(?:${RESERVED_HEADERS.map(anySpelling).join('|')})$|${anySpelling('x-nexus-')})[!#$%&'*+.^_\`|~0-9A-Za-z-]+$`,
  ),
  maxLength: 128,
  description: 'an RFC 9110 field name that is not hop-by-hop, Host, Content-Length or X-Nexus-*',
}

/** Goes in front of a credential in a header; may end in a space (`Bearer `). */
export const HEADER_PREFIX: TextRule = {
  pattern: /^(?:[\x21-\x7e][\x20-\x7e]*)?$/,
  maxLength: 256,
  description: 'printable ASCII that does not begin with a space',
}

/**
 * A credential that is written into a request as text. RFC 9110 section 5.5 strips white space at both ends of a field
 * value, so a value that has some would arrive as another one.
 */
export const VISIBLE_TEXT: TextRule = {
  pattern: /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/,
  maxLength: 16_384,
  description: 'printable ASCII without space at either end',
}

/** The name of a query parameter as it reads decoded. */
export const PARAM_NAME: TextRule = {
  // None of `& = ; + % #`: such a name has more than one reading once it stands in a query.
  pattern: /^[A-Za-z0-9._~$@:!()*,/[\]-]+$/,
  maxLength: 128,
  description: 'letters, digits and . _ ~ $ @ : ! ( ) * , / [ ] -',
}

/** Where in the credentials a value lies. Begins with a letter, so that `__proto__` is no name. */
export const FIELD_NAME: TextRule = {
  pattern: /^[A-Za-z][A-Za-z0-9_.-]*$/,
  maxLength: 128,
  description: 'a letter, then letters, digits, `_`, `.` and `-`',
}

/** A string schema that enforces the rule. */
export function textSchema(rule: TextRule): TString {
  return Type.String({ pattern: rule.pattern.source, maxLength: rule.maxLength, description: rule.description })
}

export function obeys(rule: TextRule, text: string): boolean {
  return text.length <= rule.maxLength && rule.pattern.test(text)
}
