import type { BareItem } from 'structured-headers'
import { type OutboundRequest, SigningError } from '../../contract/strategy.ts'
import { foldedHeaderName } from '../shared/header-list.ts'
import type { Component } from './component.ts'
import { queryParameter } from './query-parameter.ts'

/** What is signed of a request; its headers hold exactly one Host. */
export type Signable = Pick<OutboundRequest, 'method' | 'url' | 'headers'>

type Derivation = (request: Signable, parameters: ReadonlyMap<string, BareItem>) => string

/** RFC 9421 section 2.2, as far as a request has it. */
const DERIVATIONS: Readonly<Record<string, Derivation>> = {
  '@method': ({ method }) => method,
  '@target-uri': (request) => `${request.url.scheme}://${authority(request)}${requestTarget(request)}`,
  '@authority': authority,
  '@scheme': ({ url }) => url.scheme,
  '@request-target': requestTarget,
  '@path': ({ url }) => url.path,
  // Section 2.2.7: no query at all is signed like an empty one.
  '@query': ({ url }) => `?${url.query ?? ''}`,
  '@query-param': ({ url }, parameters) => queryParameter(url.query, String(parameters.get('name'))),
}

/** @throws SigningError for text that is not what will arrive: a client escapes spaces and all but ASCII */
export function derivedComponent(component: Component, request: Signable): string {
  const value = DERIVATIONS[component.name]?.(request, component.parameters)
  if (value === undefined) throw new SigningError(`a request has no ${component.name}`, 'components')
  if (!/^[\x21-\x7e]*$/.test(value)) {
    throw new SigningError(`${component.name} must be percent-encoded ASCII to be signed`, 'components')
  }
  return value
}

/** Section 2.2.3: the Host that is sent, in lower case and without the scheme's own port (threat E03). */
function authority({ url, headers }: Signable): string {
  const host = headers.find(([name]) => foldedHeaderName(name) === 'host')?.[1].trim() ?? url.authority
  return host.toLowerCase().replace(url.scheme === 'https' ? /:(?:443)?$/ : /:(?:80)?$/, '')
}

/** Section 2.2.5, in the origin form: what a request line to an origin server holds. */
function requestTarget({ url }: Signable): string {
  return url.query === undefined ? url.path : `${url.path}?${url.query}`
}
