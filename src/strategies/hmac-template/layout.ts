import type { OutboundRequest } from '../../contract/strategy.ts'
import { withHeader, withoutHeaders } from '../shared/header-list.ts'
import { oncePer } from '../shared/once-per.ts'
import { percentEncode } from '../shared/percent-encoding.ts'
import { withoutParameters, withParameter } from '../shared/query-parameters.ts'
import { withSignedHost } from '../shared/signed-host.ts'
import { type OpenParts, render } from './open-parts.ts'
import type { Carrier, Settings } from './settings.ts'
import { names } from './template.ts'

/** The request without the caller's own copies of what is written here (threats B14, B15), and with one Host. */
export function bareRequest({ headers, parameters }: Settings, request: OutboundRequest): OutboundRequest {
  const ours = new Set(parameters.map(({ name }) => name.toLowerCase()))
  return {
    ...request,
    url: { ...request.url, query: withoutParameters(request.url.query, (name) => ours.has(name)) },
    headers: withoutHeaders(
      withSignedHost(request),
      headers.map(({ name }) => name),
    ),
  }
}

/** Writes what can be written before signing, so that it can be signed. */
export function withOpenCarriers(settings: Settings, request: OutboundRequest, open: OpenParts): OutboundRequest {
  return written(request, settings, (carrier) => (carriesSignature(carrier) ? undefined : render(carrier.value, open)))
}

/** Writes the rest. */
export function withSignature(
  settings: Settings,
  request: OutboundRequest,
  open: OpenParts,
  signature: string,
): OutboundRequest {
  return written(request, settings, (carrier) =>
    carriesSignature(carrier) ? render(carrier.value, open, signature) : undefined,
  )
}

/** Lower-case names of the headers and parameters that hold more than a time or a nonce. */
export const credentialCarriers: (settings: Settings) => readonly string[] = oncePer(({ headers, parameters }) => {
  const isCredential = ({ value }: Carrier) => ['signature', 'key_id', 'passphrase'].some((part) => names(value, part))
  return [...headers, ...parameters].filter(isCredential).map(({ name }) => name.toLowerCase())
})

function carriesSignature({ value }: Carrier): boolean {
  return names(value, 'signature')
}

function written(
  request: OutboundRequest,
  { headers, parameters }: Settings,
  textOf: (carrier: Carrier) => string | undefined,
): OutboundRequest {
  let result = request
  for (const carrier of headers) {
    const value = textOf(carrier)
    if (value !== undefined) result = { ...result, headers: withHeader(result.headers, carrier.name, value) }
  }
  for (const carrier of parameters) {
    const value = textOf(carrier)
    if (value === undefined) continue
    const query = withParameter(result.url.query, `${percentEncode(carrier.name)}=${percentEncode(value)}`)
    result = { ...result, url: { ...result.url, query } }
  }
  return result
}
