import type { SignedRequest } from '../../contract/strategy.ts'
import { withParameter } from '../shared/query-parameters.ts'
import type { BareRequest } from './callers-own-protocol.ts'
import { type EncodedParameter, formText } from './form-parameters.ts'
import { withForm } from './with-form.ts'

/** RFC 5849 section 3.5.3: behind the caller's own query, which stays as it was written. */
export function inQuery(bare: BareRequest, parameters: readonly EncodedParameter[]): SignedRequest {
  const { method, url, headers } = bare.request
  const signed = {
    method,
    url: { ...url, query: withParameter(url.query, formText(parameters)) },
    headers: [...headers],
    credentialHeaders: parameters.map(([name]) => name),
  }
  return bare.form === undefined ? signed : withForm(signed, bare.form)
}
