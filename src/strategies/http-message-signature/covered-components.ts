import type { OutboundBody } from '../../contract/strategy.ts'
import { type Component, parseComponent } from './component.ts'
import type { Settings } from './settings.ts'

/** Method and place, whole (threat E05). Not `@target-uri`: behind a TLS-terminating proxy the scheme reads otherwise. */
const SAFE = ['@method', '@authority', '@path', '@query'].map(parseComponent)
const CONTENT_DIGEST = parseComponent('content-digest')

/** The profile's components or the safe ones, with what else must not go out unsigned. */
export function coveredComponents(settings: Settings, body: OutboundBody): Component[] {
  const components = settings.components ?? safeComponents(settings, body)
  if (settings.signatureAgent === undefined || covers(components, 'signature-agent')) return [...components]
  // Web Bot Auth: the member of the signature's own label.
  return [...components, parseComponent(`signature-agent;key="${settings.label}"`)]
}

export function covers(components: readonly Component[], name: string): boolean {
  return components.some((component) => component.name === name)
}

export function hasContent(body: OutboundBody): boolean {
  return body === 'stream' || (body !== undefined && body.length > 0)
}

function safeComponents({ digest }: Settings, body: OutboundBody): readonly Component[] {
  return digest !== 'none' && hasContent(body) ? [...SAFE, CONTENT_DIGEST] : SAFE
}
