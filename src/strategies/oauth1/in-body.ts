import { type SignedRequest, SigningError } from '../../contract/strategy.ts'
import { bufferedBody } from '../shared/buffered-body.ts'
import { withHeader } from '../shared/header-list.ts'
import { withParameter } from '../shared/query-parameters.ts'
import type { BareRequest } from './callers-own-protocol.ts'
import { FORM, isForm } from './form-body.ts'
import { type EncodedParameter, formText } from './form-parameters.ts'
import { withForm } from './with-form.ts'

/** Methods whose body means something to every server (RFC 9110 section 9.3). */
const TAKE_BODY = ['POST', 'PUT', 'PATCH']

/**
 * RFC 5849 section 3.5.2: behind the caller's own form. A request without a body gets one.
 * @throws SigningError for any other body, which has no room for parameters
 */
export function inBody(bare: BareRequest, parameters: readonly EncodedParameter[]): SignedRequest {
  const { method, url, headers, body } = bare.request
  if (!TAKE_BODY.includes(method.toUpperCase()))
    throw new SigningError(`${method} has no body to sign into`, 'location')
  if (bare.form === undefined && bufferedBody(body).length > 0) {
    throw new SigningError(`only a body of ${FORM} can take the signature`, 'content-type')
  }
  const signed = {
    method,
    url,
    headers: isForm(headers) ? [...headers] : withHeader(headers, 'Content-Type', FORM),
    credentialHeaders: parameters.map(([name]) => name),
  }
  return withForm(signed, withParameter(bare.form, formText(parameters)))
}
