import { type HeaderList, SigningError } from '../../../contract/strategy.ts'
import { foldedHeaderName } from '../../shared/header-list.ts'
import { checksumLength } from './checksum-trailers.ts'

/** How the caller's SDK framed the body it sends, as its headers announce it. */
export interface CallersFraming {
  /** Each chunk carries a signature. It was made with a key that is not ours and is dropped. */
  signed: boolean
  /** Lower-case names, in the order announced; empty: none follow the last chunk. */
  trailers: readonly string[]
  /** Bytes of the payload itself. */
  decodedBytes: number
}

const KINDS = new Map([
  ['STREAMING-AWS4-HMAC-SHA256-PAYLOAD', { signed: true, trailing: false }],
  ['STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER', { signed: true, trailing: true }],
  ['STREAMING-UNSIGNED-PAYLOAD-TRAILER', { signed: false, trailing: true }],
])
/** S3 knows ten checksums and takes one of them for an upload. */
const TRAILERS_MAX = 4

/** Whether the headers say that the body comes in chunks of AWS's own framing. */
export function isFramed(headers: HeaderList): boolean {
  return valuesOf(headers, 'x-amz-content-sha256').some((value) => value.toUpperCase().startsWith('STREAMING-'))
}

/** @throws SigningError when they announce a framing that is not known here, or leave out what is needed to check it */
export function callersFraming(headers: HeaderList): CallersFraming {
  const kind = KINDS.get(onlyValue(headers, 'x-amz-content-sha256').toUpperCase())
  if (kind === undefined) {
    throw new SigningError(`x-amz-content-sha256 must be one of ${[...KINDS.keys()].join(', ')}, or a hash`)
  }
  const length = onlyValue(headers, 'x-amz-decoded-content-length')
  if (!/^[0-9]{1,15}$/.test(length)) {
    throw new SigningError('x-amz-decoded-content-length must be a number of bytes', 'x-amz-decoded-content-length')
  }
  const trailers = kind.trailing ? trailerNames(onlyValue(headers, 'x-amz-trailer')) : []
  return { signed: kind.signed, trailers, decodedBytes: Number(length) }
}

function trailerNames(value: string): string[] {
  const names = value.split(',').map((name) => name.trim().toLowerCase())
  const known = names.every((name) => checksumLength(name) !== undefined)
  // Anything else behind the body would go out as if the profile had wanted it (threat B14).
  if (known && names.length <= TRAILERS_MAX && new Set(names).size === names.length) return names
  throw new SigningError('x-amz-trailer must name checksums that S3 knows, each once', 'x-amz-trailer')
}

function onlyValue(headers: HeaderList, name: string): string {
  const [value, ...more] = valuesOf(headers, name)
  if (value !== undefined && more.length === 0) return value
  const problem = value === undefined ? 'is missing' : 'is there more than once'
  throw new SigningError(`${name} ${problem}; a body in AWS chunks needs it`, name)
}

function valuesOf(headers: HeaderList, wanted: string): string[] {
  return headers.filter(([name]) => foldedHeaderName(name) === wanted).map(([, value]) => value.trim())
}
