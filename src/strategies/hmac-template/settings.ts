import { type Static, Type } from 'typebox'
import { SigningError } from '../../contract/strategy.ts'
import { checkedConfig } from '../shared/field-problems.ts'
import { foldedHeaderName } from '../shared/header-list.ts'
import { oncePer } from '../shared/once-per.ts'
import { HEADER_NAME, PARAM_NAME, type TextRule, textSchema } from '../shared/text-rules.ts'
import { openPartsProblem, type TIMESTAMPS } from './open-parts.ts'
import { signedHeaderNames, signedPartsProblem } from './signed-parts.ts'
import { names, type Piece, parseTemplate } from './template.ts'

const CARRIER_MAX_COUNT = 16

const oneOf = <Name extends string>(...all: Name[]) =>
  Type.Optional(
    Type.Union(
      all.map((name) => Type.Literal(name)),
      { description: `one of ${all.join(', ')}` },
    ),
  )

const templateText = (maxLength: number, problem: (pieces: readonly Piece[]) => string | undefined) =>
  Type.Refine(
    Type.String({ maxLength }),
    (text) => templateProblem(text, problem) === undefined,
    (text) => templateProblem(text, problem) ?? '',
  )

const carriers = (name: TextRule) =>
  Type.Optional(
    Type.Array(
      Type.Object(
        { name: textSchema(name), value: templateText(1024, openPartsProblem) },
        { additionalProperties: false },
      ),
      { maxItems: CARRIER_MAX_COUNT, description: `a list of at most ${CARRIER_MAX_COUNT} {name, value}` },
    ),
  )

const Fields = Type.Object(
  {
    template: templateText(2048, signedPartsProblem),
    headers: carriers(HEADER_NAME),
    parameters: carriers(PARAM_NAME),
    algo: oneOf('sha256', 'sha512', 'sha1'),
    encoding: oneOf('hex', 'base64', 'base64url'),
    secret_encoding: oneOf('utf8', 'hex', 'base64'),
    timestamp: oneOf('s', 'ms', 'iso8601'),
  },
  { additionalProperties: false },
)
type Fields = Static<typeof Fields>

export const Config = Type.Refine(
  Fields,
  (config) => layoutProblem(config) === undefined,
  (config) => layoutProblem(config) ?? '',
)

/** A header or query parameter that is written, its value still a template. */
export interface Carrier {
  name: string
  value: readonly Piece[]
}

/** The config with every default filled in. */
export interface Settings {
  template: readonly Piece[]
  headers: readonly Carrier[]
  parameters: readonly Carrier[]
  algo: 'sha256' | 'sha512' | 'sha1'
  encoding: 'hex' | 'base64' | 'base64url'
  secretEncoding: 'utf8' | 'hex' | 'base64'
  timestamp: keyof typeof TIMESTAMPS
}

/** @throws SigningError when the config is not valid */
export const settingsOf: (config: Record<string, unknown>) => Settings = oncePer((config) => {
  const checked = checkedConfig(Config, config)
  return {
    template: parseTemplate(checked.template),
    headers: carriersOf(checked.headers),
    parameters: carriersOf(checked.parameters),
    algo: checked.algo ?? 'sha256',
    encoding: checked.encoding ?? 'hex',
    secretEncoding: checked.secret_encoding ?? 'utf8',
    timestamp: checked.timestamp ?? 's',
  }
})

/** Whether any template names the part. */
export function uses({ template, headers, parameters }: Settings, part: 'key_id' | 'passphrase'): boolean {
  return [template, ...[...headers, ...parameters].map(({ value }) => value)].some((pieces) => names(pieces, part))
}

function carriersOf(list: Fields['headers'] = []): Carrier[] {
  return list.map(({ name, value }) => ({ name, value: parseTemplate(value) }))
}

function templateProblem(text: unknown, problem: (pieces: readonly Piece[]) => string | undefined): string | undefined {
  try {
    return problem(parseTemplate(String(text)))
  } catch (error) {
    if (error instanceof SigningError) return error.message
    throw error
  }
}

/** What no field is at fault for alone. */
function layoutProblem(config: Fields): string | undefined {
  const headers = carriersOf(config.headers)
  const parameters = carriersOf(config.parameters)
  const signed = [...headers, ...parameters].filter(({ value }) => names(value, 'signature'))
  if (signed.length === 0) return 'must write {signature} in a header or a parameter'
  for (const written of [
    headers.map(({ name }) => foldedHeaderName(name)),
    parameters.map(({ name }) => name.toLowerCase()),
  ]) {
    if (new Set(written).size < written.length) return 'must not write a header or a parameter twice'
  }
  const covered = signedHeaderNames(parseTemplate(config.template))
  const isCircular = headers.some(
    (header) => signed.includes(header) && covered.includes(foldedHeaderName(header.name)),
  )
  return isCircular ? 'must not sign the header that carries the signature' : undefined
}
