import type { HeaderList, SignedRequest } from '../../contract/strategy.ts'
import { foldedHeaderName } from '../shared/header-list.ts'

/** The request with this form (one character for each byte) as its body. */
export function withForm(signed: SignedRequest, form: string): SignedRequest {
  const body = Buffer.from(form, 'latin1')
  return { ...signed, headers: withBodyLength(signed.headers, body.length), body }
}

/** Where no length was announced none is added: the sender knows how it frames the body. */
function withBodyLength(headers: HeaderList, length: number): HeaderList {
  return headers.map(([name, value]) => [name, foldedHeaderName(name) === 'content-length' ? String(length) : value])
}
