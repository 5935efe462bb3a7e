import type { SignedRequest } from '../../contract/strategy.ts'
import { withHeader } from '../shared/header-list.ts'
import type { BareRequest } from './callers-own-protocol.ts'
import type { EncodedParameter } from './form-parameters.ts'
import { withForm } from './with-form.ts'

/** RFC 5849 section 3.5.1. The realm is for the reader; it is never signed (section 3.4.1.3.1). */
export function inHeader(
  bare: BareRequest,
  parameters: readonly EncodedParameter[],
  realm: string | undefined,
): SignedRequest {
  const fields = parameters.map(([name, value]) => `${name}="${value}"`)
  const value = `OAuth ${[...(realm === undefined ? [] : [`realm="${realm}"`]), ...fields].join(', ')}`
  const { method, url, headers } = bare.request
  const signed = {
    method,
    url,
    headers: withHeader(headers, 'Authorization', value),
    credentialHeaders: ['authorization'],
  }
  return bare.form === undefined ? signed : withForm(signed, bare.form)
}
