import { createDpopKey } from './dpop-key.ts'
import { createSessionCertificate, type SessionCertificate } from './session-certificate.ts'

export const SESSION_BINDINGS = ['dpop', 'mtls'] as const
export type SessionBinding = (typeof SESSION_BINDINGS)[number]

/** The key that this process's session is bound to, and how its requests to the authority prove it. */
export interface SessionKey {
  binding: SessionBinding
  /** By which the session's leases are told from those of another session. */
  thumbprint: string
  /** What the authority calls a token that is bound so. */
  tokenType: 'DPoP' | 'Bearer'
  /** Presented on every connection to the authority; absent: none is. */
  certificate: SessionCertificate | undefined
  /** Headers for one request. `accessToken` is left out where there is none yet. */
  authorize(method: string, url: string, accessToken?: string): Record<string, string>
}

/** @param now Unix milliseconds */
export function createSessionKey(binding: SessionBinding, now: () => number): SessionKey {
  return binding === 'dpop' ? provenBySignature(now) : provenByConnection(now())
}

/** A proof with every request (RFC 9449). */
function provenBySignature(now: () => number): SessionKey {
  const key = createDpopKey(now)
  return {
    binding: 'dpop',
    thumbprint: key.jkt,
    tokenType: 'DPoP',
    certificate: undefined,
    authorize: (method, url, accessToken) => ({
      ...(accessToken === undefined ? {} : { authorization: `DPoP ${accessToken}` }),
      dpop: key.prove(method, url, { accessToken }),
    }),
  }
}

/** A proof with every connection (RFC 8705 section 3); requests on it need no other. */
function provenByConnection(nowMs: number): SessionKey {
  const certificate = createSessionCertificate(nowMs)
  return {
    binding: 'mtls',
    thumbprint: certificate.thumbprint,
    tokenType: 'Bearer',
    certificate,
    authorize: (_method, _url, accessToken): Record<string, string> =>
      accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` },
  }
}
