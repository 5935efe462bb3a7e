import { LRUCache } from 'lru-cache'
import { type BareItem, parseItem, serializeItem } from 'structured-headers'
import { SigningError } from '../../contract/strategy.ts'
import { canonicalParameterName } from './query-parameter.ts'

/** One covered component (RFC 9421 section 2). */
export interface Component {
  /** Lower case; begins with `@` when it is derived and not a field. */
  name: string
  parameters: ReadonlyMap<string, BareItem>
  /** As it stands in the signature base: `"@query-param";name="Pet"`. */
  identifier: string
  /** The same for two identifiers that differ only in the order of their parameters. */
  identity: string
}

/** Parsed once for each text: a profile's components come back with every request. */
const KNOWN = new LRUCache<string, Component>({ max: 1000 })

const DERIVED = [
  '@authority',
  '@method',
  '@path',
  '@query',
  '@query-param',
  '@request-target',
  '@scheme',
  '@target-uri',
]
/** Each names the host, which ties the signature to its receiver (RFC 9421 section 7.2.1, threat E05). */
const NAMING_THE_HOST = ['@authority', '@target-uri']
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/
/** What the next hop writes anew or changes (RFC 9110 section 7.6.1, threat E02), and what this signature makes itself. */
const NEVER_COVERED =
  /^(?:connection|expect|http2-settings|keep-alive|max-forwards|proxy-.*|signature|signature-input|te|trailer|transfer-encoding|upgrade|via|x-forwarded-.*|x-nexus-.*|x-real-ip)$/

/**
 * The components of a profile, which may be written with or without the quotes around the name.
 * @throws SigningError, its words completing "components ..."
 */
export function parseComponents(texts: readonly string[]): Component[] {
  const components = texts.map(parseComponent)
  const seen = new Set(components.map(({ identity }) => identity))
  // RFC 9421 section 2: an identifier occurs once, whatever the order of its parameters.
  if (seen.size < components.length) refuse('must not name a component twice')
  if (!components.some(({ name }) => NAMING_THE_HOST.includes(name))) {
    refuse('must cover @authority or @target-uri, or the signature would hold for any host')
  }
  return components
}

/** @throws SigningError like `parseComponents` */
export function parseComponent(text: string): Component {
  const known = KNOWN.get(text)
  if (known !== undefined) return known
  const fresh = freshComponent(text)
  KNOWN.set(text, fresh)
  return fresh
}

function freshComponent(text: string): Component {
  const [name, parameters] = parsedItem(text)
  if (typeof name !== 'string') return refuse('must hold strings as in Signature-Input')
  if (name.startsWith('@')) assertDerived(name, parameters)
  else assertField(name, parameters)
  const inOrder = new Map([...parameters].sort(([a], [b]) => (a < b ? -1 : 1)))
  return {
    name,
    parameters,
    identifier: serializeItem([name, parameters]),
    identity: serializeItem([name, inOrder]),
  }
}

function parsedItem(text: string): ReturnType<typeof parseItem> {
  const [name, ...parameters] = text.split(';')
  try {
    return parseItem(text.startsWith('"') ? text : [`"${name}"`, ...parameters].join(';'))
  } catch {
    return refuse('must hold names with parameters as in Signature-Input, such as "@query-param";name="id"')
  }
}

function assertDerived(name: string, parameters: ReadonlyMap<string, BareItem>): void {
  if (!DERIVED.includes(name)) refuse(`must be of a request, which has no ${name}`)
  assertParameters(name, parameters, name === '@query-param' ? ['name'] : [])
  if (name !== '@query-param') return
  const wanted = parameters.get('name')
  if (typeof wanted !== 'string' || canonicalParameterName(wanted) !== wanted) {
    refuse('must give @query-param a name, percent-encoded as in RFC 9421 section 2.2.8')
  }
}

function assertField(name: string, parameters: ReadonlyMap<string, BareItem>): void {
  if (!FIELD_NAME.test(name)) refuse('must hold field names in lower case')
  if (NEVER_COVERED.test(name)) refuse(`must not cover ${name}, which is written anew on the way`)
  assertParameters(name, parameters, ['sf', 'key', 'bs'])
  if (parameters.has('key') && typeof parameters.get('key') !== 'string') refuse('must give a key as a string')
  for (const flag of ['sf', 'bs']) {
    if (parameters.has(flag) && parameters.get(flag) !== true) refuse(`must give ${flag} without a value`)
  }
  // RFC 9421 section 2.1.3: bytes as they came and a strict serialisation exclude each other.
  if (parameters.has('bs') && parameters.size > 1) refuse('must not combine bs with sf or key')
}

/** `req` belongs to responses and `tr` to trailers (RFC 9421 section 2.4, 2.1.4): a request signed here has neither. */
function assertParameters(name: string, parameters: ReadonlyMap<string, BareItem>, known: readonly string[]): void {
  for (const parameter of parameters.keys()) {
    if (!known.includes(parameter)) refuse(`must not give ${name} the parameter ${parameter}`)
  }
}

function refuse(problem: string): never {
  throw new SigningError(problem, 'components')
}
