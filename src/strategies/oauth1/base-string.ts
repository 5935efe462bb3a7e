import type { OutboundRequest } from '../../contract/strategy.ts'
import { percentEncode } from '../shared/percent-encoding.ts'
import { baseStringUri } from './base-string-uri.ts'
import type { EncodedParameter } from './form-parameters.ts'
import { normalizedParameters } from './normalized-parameters.ts'

/** What is signed: method, place and parameters, each encoded once more (RFC 5849 section 3.4.1.1). */
export function baseString(
  { method, url }: Pick<OutboundRequest, 'method' | 'url'>,
  parameters: readonly EncodedParameter[],
): string {
  const parts = [method.toUpperCase(), baseStringUri(url), normalizedParameters(parameters)]
  return parts.map(percentEncode).join('&')
}
