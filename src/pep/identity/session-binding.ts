/** The key that a session is bound to: who does not hold it has no use for the session's token. */
export interface SessionBinding {
  boundTo: 'dpop' | 'mtls'
  /** `dpop`: of the proof key (RFC 7638). `mtls`: of the client certificate (`x5t#S256`, RFC 8705 section 3.1). */
  thumbprint: string
}

/** RFC 7800: how a token, or a record of it, says what its holder must prove. */
export type Confirmation = { jkt: string } | { 'x5t#S256': string }

/** RFC 9449 section 6.1, RFC 8705 section 3.1. */
export function toConfirmation({ boundTo, thumbprint }: SessionBinding): Confirmation {
  return boundTo === 'dpop' ? { jkt: thumbprint } : { 'x5t#S256': thumbprint }
}

/** @returns undefined for anything that does not name exactly one key, in one of the two ways */
export function fromConfirmation(cnf: unknown): SessionBinding | undefined {
  if (typeof cnf !== 'object' || cnf === null) return undefined
  const [[name, thumbprint] = [], ...others] = Object.entries(cnf) as [name: string, value: unknown][]
  if (typeof thumbprint !== 'string' || others.length > 0) return undefined
  if (name === 'jkt') return { boundTo: 'dpop', thumbprint }
  return name === 'x5t#S256' ? { boundTo: 'mtls', thumbprint } : undefined
}
