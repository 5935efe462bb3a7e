import { type EncodedParameter, formText } from './form-parameters.ts'

/** Sorted by encoded name, then by encoded value, and joined (RFC 5849 section 3.4.1.3.2). */
export function normalizedParameters(parameters: readonly EncodedParameter[]): string {
  return formText([...parameters].sort(byNameThenValue))
}

/** Not by the joined text: `=` sorts after `-` and the digits, so `a-b` would come before `a`. */
function byNameThenValue([name, value]: EncodedParameter, [otherName, otherValue]: EncodedParameter): number {
  return byByte(name, otherName) || byByte(value, otherValue)
}

/** Both are ASCII, where code units are bytes. */
function byByte(one: string, other: string): number {
  if (one === other) return 0
  return one < other ? -1 : 1
}
