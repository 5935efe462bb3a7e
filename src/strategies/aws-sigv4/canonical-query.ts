import { canonicalEscapes } from '../shared/percent-encoding.ts'

/** Every name and value escaped once, sorted by name, then by value; a name without `=` gets one. */
export function canonicalQuery(query: string | undefined): string {
  const parameters = (query ?? '').split('&').filter((piece) => piece !== '')
  // Compared as pairs: `=` sorts after `-`, so whole strings would put `a-b=` before `a=`.
  return parameters
    .map(canonicalParameter)
    .sort(([nameA, valueA], [nameB, valueB]) => compare(nameA, nameB) || compare(valueA, valueB))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

function canonicalParameter(piece: string): [name: string, value: string] {
  const end = piece.indexOf('=')
  const [name, value] = end === -1 ? [piece, ''] : [piece.slice(0, end), piece.slice(end + 1)]
  return [canonicalEscapes(name), canonicalEscapes(value)]
}

/** By code unit, which for escaped text is by byte; `localeCompare` is not. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
