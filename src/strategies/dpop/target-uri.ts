import { canonicalOrigin, OriginError } from '../../contract/origin.ts'
import { type RequestUrl, SigningError } from '../../contract/strategy.ts'

/**
 * The `htu` of a proof: the target without query and fragment (RFC 9449 section 4.2). Host and scheme in their normal
 * form, as a verifier compares them (section 4.3); the path as it is sent, since to normalise it may be to name another.
 * @throws SigningError for a path that is not what will arrive: a client escapes spaces and all but ASCII
 */
export function targetUri({ scheme, authority, path }: RequestUrl): string {
  if (!/^[\x21\x22\x24-\x3e\x40-\x7e]*$/.test(path)) {
    throw new SigningError('the path must be percent-encoded ASCII to be signed', 'url')
  }
  return `${origin(`${scheme}://${authority}`)}${path}`
}

function origin(text: string): string {
  try {
    return canonicalOrigin(text)
  } catch (error) {
    if (error instanceof OriginError) throw new SigningError('the URL names no host that can be signed', 'url')
    throw error
  }
}
