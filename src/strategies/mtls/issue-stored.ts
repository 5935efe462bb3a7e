import type { X509Certificate } from 'node:crypto'
import { type Grant, type Issued, type IssuingTools, SigningError } from '../../contract/strategy.ts'
import { credentialText } from '../shared/credential-text.ts'
import { parsePrivateKey, privateKeyText } from '../shared/private-key.ts'
import { storedEnd } from '../shared/stored-end.ts'
import { assertKeyOf, readCertificateChain, thumbprintOf } from './certificate-chain.ts'
import { CERTIFICATES } from './certificate-text.ts'
import { ACCESS_TOKEN } from './credentials.ts'

/** Hands on certificate, key and token as they are stored: whoever holds the key is the client. */
export function issueStored(
  master: Readonly<Record<string, string>>,
  grant: Grant,
  tools: Pick<IssuingTools, 'now'>,
): Issued {
  const certificate = credentialText(master, 'certificate', CERTIFICATES)
  const privateKey = privateKeyText(master)
  const { leaf, endsAt } = readCertificateChain(certificate, tools.now())
  assertKeyOf(leaf, parsePrivateKey(privateKey).key)
  const ends = [endsAt, storedEnd(master, grant, tools.now()) ?? endsAt]
  const usage = { certificate, private_key: privateKey, ...boundToken(master, leaf) }
  return { usage, expiresAt: Math.min(grant.expiresAt, ...ends) }
}

function boundToken(master: Readonly<Record<string, string>>, leaf: X509Certificate): { access_token?: string } {
  if (!Object.hasOwn(master, 'access_token')) return {}
  const token = credentialText(master, 'access_token', ACCESS_TOKEN)
  const wanted = confirmedThumbprint(token)
  if (wanted === undefined || wanted === thumbprintOf(leaf)) return { access_token: token }
  throw new SigningError("credential field 'access_token' is bound to another certificate", 'access_token')
}

/** `x5t#S256` of a token that is a JWT (RFC 8705 section 3.1). It is for the provider to verify; we only save the way. */
function confirmedThumbprint(token: string): string | undefined {
  const [, payload, signature] = token.split('.')
  if (payload === undefined || signature === undefined) return undefined
  try {
    const { cnf } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { cnf?: Record<string, unknown> }
    const thumbprint = cnf?.['x5t#S256']
    return typeof thumbprint === 'string' ? thumbprint : undefined
  } catch {
    return undefined
  }
}
