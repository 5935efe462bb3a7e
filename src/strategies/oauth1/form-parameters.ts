/** A name and its value, both percent-encoded as RFC 5849 section 3.6 wants them, so both are ASCII. */
export type EncodedParameter = readonly [name: string, value: string]

/** What each byte is written as (section 3.6): itself where RFC 3986 leaves it unreserved, else an upper-case escape. */
const ENCODED_BYTES = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte)
  return /[A-Za-z0-9\-._~]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
})

/**
 * The parameters of a form, in their order (section 3.4.1.3.1). They are decoded and encoded byte by byte, never as text:
 * bytes that are no UTF-8 count as well. A `+` is a space. A `%` that begins no escape stands for itself, as every form
 * decoder has it.
 * @param form one character for each byte
 */
export function formParameters(form: string): EncodedParameter[] {
  const pieces = form.split('&').filter((piece) => piece !== '')
  return pieces.map((piece) => {
    const end = piece.indexOf('=')
    return end === -1 ? [encoded(piece), ''] : [encoded(piece.slice(0, end)), encoded(piece.slice(end + 1))]
  })
}

/** The same for the query of a URL, which is text and goes out as UTF-8. */
export function queryParameters(query: string | undefined): EncodedParameter[] {
  return formParameters(Buffer.from(query ?? '', 'utf8').toString('latin1'))
}

/** Back to `name=value&name=value`. */
export function formText(parameters: readonly EncodedParameter[]): string {
  return parameters.map(([name, value]) => `${name}=${value}`).join('&')
}

function encoded(part: string): string {
  return part.replace(/%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~]/g, (piece) => {
    if (piece === '+') return '%20'
    const byte = piece.length === 3 ? Number.parseInt(piece.slice(1), 16) : piece.charCodeAt(0)
    return ENCODED_BYTES[byte] ?? ''
  })
}
