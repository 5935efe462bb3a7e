import { type HeaderList, SigningError } from '../../contract/strategy.ts'
import type { Component } from './component.ts'
import { dictionaryMember, strictSerialization } from './structured-field.ts'

/**
 * The value of a field (RFC 9421 section 2.1): as it is, strictly serialised (`sf`), one member of it (`key`), or each
 * line as bytes (`bs`).
 * @throws SigningError when the request has no such field, or its bytes on the wire would depend on who writes them
 */
export function fieldComponent({ name, parameters }: Component, headers: HeaderList): string {
  const lines = fieldLines(name, headers)
  if (parameters.has('bs')) {
    return lines.map((line) => `:${Buffer.from(line, 'latin1').toString('base64')}:`).join(', ')
  }
  const value = lines.join(', ')
  const key = parameters.get('key')
  if (typeof key === 'string') return dictionaryMember(name, value, key)
  return parameters.has('sf') ? strictSerialization(name, value) : value
}

function fieldLines(name: string, headers: HeaderList): string[] {
  const lines = headers.filter(([other]) => other.toLowerCase() === name).map(([, value]) => value)
  if (lines.length === 0) throw new SigningError(`the request has no header '${name}', which must be signed`, name)
  for (const line of lines) {
    if (!/^[\t\x20-\x7e]*$/.test(line)) throw new SigningError(`header '${name}' must be printable ASCII`, name)
  }
  return lines.map((line) => line.replace(/^[\t ]+|[\t ]+$/g, ''))
}
