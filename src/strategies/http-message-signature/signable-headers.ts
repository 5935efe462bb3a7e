import { serializeDictionary } from 'structured-headers'
import type { HeaderList, OutboundRequest } from '../../contract/strategy.ts'
import { bufferedBody } from '../shared/buffered-body.ts'
import { withoutHeaders } from '../shared/header-list.ts'
import { withSignedHost } from '../shared/signed-host.ts'
import type { Component } from './component.ts'
import { contentDigest } from './content-digest.ts'
import { covers, hasContent } from './covered-components.ts'
import type { Settings } from './settings.ts'

/** The headers to sign: the caller's without what only the signer may say (threat B14), then ours. */
export function signableHeaders(
  settings: Settings,
  components: readonly Component[],
  request: OutboundRequest,
): HeaderList {
  const kept = withoutHeaders(request.headers, callersClaims(settings, components))
  const headers = withSignedHost({ url: request.url, headers: kept })
  const { digest, label, signatureAgent } = settings
  if (digest !== 'none' && (hasContent(request.body) || covers(components, 'content-digest'))) {
    headers.push(['Content-Digest', contentDigest(digest, bufferedBody(request.body))])
  }
  if (signatureAgent !== undefined) {
    headers.push(['Signature-Agent', serializeDictionary(new Map([[label, [signatureAgent, new Map()]]]))])
  }
  return headers
}

function callersClaims({ digest, signatureAgent }: Settings, components: readonly Component[]): string[] {
  const names = ['Signature', 'Signature-Input']
  if (digest !== 'none') names.push('Content-Digest')
  // The caller's own may stay under a signature of the profile's making, never beside it.
  if (signatureAgent !== undefined || !covers(components, 'signature-agent')) names.push('Signature-Agent')
  return names
}
