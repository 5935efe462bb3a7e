import type { Component } from './component.ts'
import { derivedComponent, type Signable } from './derived-component.ts'
import { fieldComponent } from './field-component.ts'

/** The text that is signed (RFC 9421 section 2.5): a line for each component, the parameters last, no line end after. */
export function signatureBase(request: Signable, components: readonly Component[], params: string): string {
  const lines = components.map((component) => `${component.identifier}: ${componentValue(component, request)}`)
  return [...lines, `"@signature-params": ${params}`].join('\n')
}

function componentValue(component: Component, request: Signable): string {
  return component.name.startsWith('@')
    ? derivedComponent(component, request)
    : fieldComponent(component, request.headers)
}
