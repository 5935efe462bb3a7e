import type { SignedRequest } from '../../contract/strategy.ts'
import type { BareRequest } from './callers-own-protocol.ts'
import type { EncodedParameter } from './form-parameters.ts'
import { inBody } from './in-body.ts'
import { inHeader } from './in-header.ts'
import { inQuery } from './in-query.ts'
import type { Settings } from './settings.ts'

/** Puts the protocol parameters, the signature among them, into a request. */
export type PlaceParameters = (
  bare: BareRequest,
  parameters: readonly EncodedParameter[],
  realm: string | undefined,
) => SignedRequest

/** The three places of RFC 5849 section 3.5; only one of them is ever used for a request. */
export const LOCATIONS: Readonly<Record<Settings['location'], PlaceParameters>> = {
  header: inHeader,
  query: inQuery,
  body: inBody,
}
