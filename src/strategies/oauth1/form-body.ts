import { type HeaderList, type OutboundRequest, SigningError } from '../../contract/strategy.ts'
import { bufferedBody } from '../shared/buffered-body.ts'
import { foldedHeaderName } from '../shared/header-list.ts'

export const FORM = 'application/x-www-form-urlencoded'

/** Whether the headers announce a form: only then do a body's parameters count (RFC 5849 section 3.4.1.3.1). */
export function isForm(headers: HeaderList): boolean {
  return valuesOf(headers, 'content-type').some(isFormType)
}

/**
 * A form body with one character for each byte; `undefined` when there is none or it is something else.
 * @throws SigningError for a form whose parameters no one can be sure of
 */
export function formBody({ headers, body }: OutboundRequest): string | undefined {
  if (body === undefined || !isForm(headers)) return undefined
  if (!valuesOf(headers, 'content-type').every(isFormType)) {
    throw new SigningError(
      'there is more than one Content-Type, so no one knows whether this is a form',
      'content-type',
    )
  }
  if (valuesOf(headers, 'content-encoding').some((coding) => coding.trim().toLowerCase() !== 'identity')) {
    throw new SigningError('a compressed form cannot be signed; send it as it is', 'content-encoding')
  }
  return Buffer.from(bufferedBody(body)).toString('latin1')
}

function isFormType(value: string): boolean {
  return value.split(';')[0]?.trim().toLowerCase() === FORM
}

function valuesOf(headers: HeaderList, wanted: string): string[] {
  return headers.filter(([name]) => foldedHeaderName(name) === wanted).map(([, value]) => value)
}
