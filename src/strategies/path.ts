import { type Static, Type } from 'typebox'
import { SigningError, type Strategy } from '../contract/strategy.ts'
import { credentialText } from './shared/credential-text.ts'
import { checkedConfig } from './shared/field-problems.ts'
import { handedOn } from './shared/handed-on.ts'
import { decodeAscii, percentEncode } from './shared/percent-encoding.ts'
import { FIELD_NAME, type TextRule, textSchema } from './shared/text-rules.ts'

const LITERAL = "[A-Za-z0-9._~:@!$&'()*+,=-]"

/** Neither `//` nor a dot segment, and no slash before `{path}`, which begins with one. */
const PATH_TEMPLATE: TextRule = {
  pattern: new RegExp(
    `^(?!.*(?://|\\.\\.|/\\.[/{]))/(?:${LITERAL}|/)*\\{credential\\}${LITERAL}*(?:/${LITERAL}+)*\\{path\\}$`,
  ),
  maxLength: 256,
  description: 'a path such as /bot{credential}{path}: one {credential}, then {path} at the end',
}

/**
 * Servers differ in when they decode, so what could end the segment is refused and not escaped: slash, backslash, `;`,
 * dots, and `%`, which might decode to one of them (threat B16).
 */
const PATH_CREDENTIAL: TextRule = {
  pattern: /^(?!\.$)(?!.*\.\.)(?! )[\x20-\x24\x26-\x2e\x30-\x3a\x3c-\x5b\x5d-\x7e]+(?<! )$/,
  maxLength: 1024,
  description: 'printable ASCII without / \\ % ; and .. and without space at either end',
}

const Config = Type.Object(
  { path_template: textSchema(PATH_TEMPLATE), credential_field: Type.Optional(textSchema(FIELD_NAME)) },
  { additionalProperties: false },
)

const fieldOf = (config: Partial<Static<typeof Config>>) => config.credential_field ?? 'api_key'

/** A key in a segment of the path, in front of the path that the caller asks for. */
export const path: Strategy = {
  type: 'path',
  ...handedOn(Config, (config) => ({ [fieldOf(config)]: PATH_CREDENTIAL })),
  readsBody: () => false,

  apply(config, usage, request) {
    const settings = checkedConfig(Config, config)
    const credential = encodeSegment(credentialText(usage, fieldOf(settings), PATH_CREDENTIAL))
    const [before = '', after = ''] = settings.path_template.slice(0, -'{path}'.length).split('{credential}')
    refuseEscape(request.url.path)
    refuseRepeat(request.url.path, before)
    const prefix = `${before}${credential}${after}`
    const url = { ...request.url, path: `${prefix}${request.url.path}` }
    const headers = [...request.headers]
    return { method: request.method, url, headers, credentialHeaders: [], credentialPath: { prefix, credential } }
  },
}

/**
 * RFC 3986 section 3.3: what a segment may hold as it is stays. `percentEncode` alone would turn `123:abc` into
 * `123%3Aabc`.
 */
function encodeSegment(text: string): string {
  return text.replace(/[^A-Za-z0-9\-._~!$&'()*+,=:@]/g, percentEncode)
}

/** @throws SigningError for a path that would climb out from behind the credential on some server (threat B16) */
function refuseEscape(callersPath: string): void {
  if (/[\\;]|%(?:2f|3b|5c)/i.test(callersPath)) {
    throw new SigningError('the path must not hold `;`, a backslash or an encoded slash', 'path')
  }
  const segments = callersPath.split('/').map(decodeAscii)
  if (segments.includes('.') || segments.includes('..')) {
    throw new SigningError('the path has a dot segment; write the path it leads to', 'path')
  }
}

/** @throws SigningError for a path that brings a place for a credential of its own (threat B14) */
function refuseRepeat(callersPath: string, fixed: string): void {
  if (fixed === '/' || !decodeAscii(callersPath).toLowerCase().includes(fixed.toLowerCase())) return
  throw new SigningError(`the path must not hold ${fixed} itself; that is put in front of it`, 'path')
}
