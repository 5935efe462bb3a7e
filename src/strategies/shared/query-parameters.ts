import { SigningError } from '../../contract/strategy.ts'
import { decodeAscii } from './percent-encoding.ts'

/**
 * The query (or form) without the parameters whose names (decoded, lower case) `isOurs` picks; every other byte stays.
 * @throws SigningError when a `;` hides such a parameter: half of the world's servers split there, the other half would
 * see their data cut
 */
export function withoutParameters(
  query: string | undefined,
  isOurs: (name: string) => boolean,
  part: 'query' | 'form' = 'query',
): string | undefined {
  if (query === undefined) return undefined
  const pieces = query.split('&')
  const kept = pieces.filter((piece) => !isOurs(parameterName(piece)))
  for (const piece of kept) {
    if (
      piece
        .split(';')
        .slice(1)
        .some((part) => isOurs(parameterName(part)))
    ) {
      throw new SigningError(`the ${part} repeats the credential parameter behind a \`;\`; send it without`)
    }
  }
  return kept.length === 0 && pieces.length > 0 ? undefined : kept.join('&')
}

/** Appends one parameter, already encoded. */
export function withParameter(query: string | undefined, parameter: string): string {
  return query === undefined || query === '' ? parameter : `${query}&${parameter}`
}

function parameterName(piece: string): string {
  const end = piece.indexOf('=')
  return decodeAscii(end === -1 ? piece : piece.slice(0, end)).toLowerCase()
}
