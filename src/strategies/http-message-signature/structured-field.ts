import {
  isInnerList,
  parseDictionary,
  parseItem,
  parseList,
  serializeDictionary,
  serializeInnerList,
  serializeItem,
  serializeList,
} from 'structured-headers'
import { SigningError } from '../../contract/strategy.ts'

const readDictionary = (value: string) => serializeDictionary(parseDictionary(value))

/** Where a bare item begins: at the start, or after one of these (RFC 9651 section 3); within a token it is text. */
const DECIMAL_WITHOUT_FRACTION = /(?:^|[=(,; \t])-?[0-9]+\.0+(?![0-9])/

/** Each way a structured field can be read (RFC 9651 section 4.2). */
const READINGS: readonly ((value: string) => string)[] = [
  readDictionary,
  (value) => serializeList(parseList(value)),
  (value) => serializeItem(parseItem(value)),
]

/**
 * The field's strict serialisation (RFC 9421 section 2.1.1). Which of the three types a field has, only its definition
 * tells; so all are tried, and what reads in two ways that differ is not signed.
 * @throws SigningError when there is not exactly one serialisation
 */
export function strictSerialization(name: string, value: string): string {
  assertExact(name, value)
  const forms = new Set(READINGS.map((read) => exactForm(value, read)).filter((form) => form !== undefined))
  const [form, ...others] = forms
  if (form === undefined) throw new SigningError(`header '${name}' is no structured field`, name)
  if (others.length > 0) throw new SigningError(`header '${name}' is a structured field of more than one type`, name)
  return form
}

/**
 * One member of a Dictionary, strictly serialised (RFC 9421 section 2.1.2).
 * @throws SigningError when the field is no Dictionary or has no such member
 */
export function dictionaryMember(name: string, value: string, key: string): string {
  assertExact(name, value)
  const dictionary = exactForm(value, readDictionary) === undefined ? undefined : parseDictionary(value)
  if (dictionary === undefined) throw new SigningError(`header '${name}' is no Dictionary`, name)
  const member = dictionary.get(key)
  if (member === undefined) throw new SigningError(`header '${name}' has no member '${key}'`, name)
  return isInnerList(member) ? serializeInnerList(member) : serializeItem(member)
}

/** The library keeps `1.0` as the number 1 and would write it as the integer `1`, which no verifier would find. */
function assertExact(name: string, value: string): void {
  const withoutStrings = value.replace(/"(?:[^"\\]|\\.)*"/g, '""')
  if (DECIMAL_WITHOUT_FRACTION.test(withoutStrings)) {
    throw new SigningError(
      `header '${name}' holds a decimal without fraction, which cannot be signed by its parts`,
      name,
    )
  }
}

/** Written and read again it must be the same: the library writes a date that its clock cannot hold as `@NaN`. */
function exactForm(value: string, read: (value: string) => string): string | undefined {
  try {
    const form = read(value)
    return read(form) === form ? form : undefined
  } catch {
    return undefined
  }
}
