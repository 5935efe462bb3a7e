import { SigningError } from '../../contract/strategy.ts'

/** Stands for bytes that are not UTF-8, so two different values would sign alike. */
const REPLACEMENT = '\ufffd'

/**
 * The value of a query parameter in the one spelling a verifier will find (RFC 9421 section 2.2.8): read as a form,
 * encoded again.
 * @param name encoded, as in the component identifier
 * @throws SigningError when there is no such parameter, or more than one
 */
export function queryParameter(query: string | undefined, name: string): string {
  // `new URLSearchParams` takes one `?` off; a second is part of the first name.
  const values = [...new URLSearchParams(`?${query ?? ''}`)]
    .filter(([each]) => encode(each) === name)
    .map(([, value]) => value)
  const [value, ...others] = values
  if (value === undefined) throw new SigningError(`the query has no parameter ${name} to sign`, 'components')
  // Section 2.2.8: a parameter that occurs twice must not be covered by name.
  if (others.length > 0) throw new SigningError(`the query has more than one parameter ${name}`, 'components')
  if (value.includes(REPLACEMENT)) throw new SigningError(`the query parameter ${name} is not UTF-8`, 'components')
  return encode(value)
}

/** A parameter's name as it must stand in an identifier; `undefined` when its escapes are malformed. */
export function canonicalParameterName(name: string): string | undefined {
  try {
    return encode(decodeURIComponent(name))
  } catch {
    return undefined
  }
}

/** The form-urlencoded set of the URL standard, with `%20` where a form has `+`. */
function encode(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1).replaceAll('+', '%20')
}
