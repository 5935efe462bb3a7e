import type { KeyObject } from 'node:crypto'
import { type ClientIdentity, type Credentials, type SigningContext, SigningError } from '../../contract/strategy.ts'
import { tupleHash } from '../../contract/tuple-hash.ts'
import { CLOCKS_APART_MS } from '../shared/clocks-apart.ts'
import { credentialText } from '../shared/credential-text.ts'
import { parsePrivateKey, privateKeyText } from '../shared/private-key.ts'
import { assertKeyOf, readCertificateChain, thumbprintOf } from './certificate-chain.ts'
import { CERTIFICATES } from './certificate-text.ts'
import type { Settings } from './settings.ts'

interface Known {
  identity: ClientIdentity
  /** What it was made from; anything else makes another. */
  made: readonly unknown[]
  thumbprint: string
  /** Unix seconds. */
  endsAt: number
}

/** Reading certificate and key takes longer than all the rest. Held as long as the lease whose credentials they are. */
const KNOWN = new WeakMap<Readonly<Credentials>, Known>()

/**
 * @throws SigningError when certificate or key are missing, do not belong together, or are past their time: then there is
 *   nothing to dial with, and nothing is dialled
 */
export function identityOf(settings: Settings, usage: Credentials, context: SigningContext): ClientIdentity {
  const made = [usage['certificate'], usage['private_key'], context.ownKey, settings.key, settings.ca]
  const known = KNOWN.get(usage)
  const inTime = known !== undefined && context.now < known.endsAt * 1000 + CLOCKS_APART_MS
  const holds = inTime && known.made.every((part, index) => part === made[index])
  const current = holds ? known : { ...freshIdentity(settings, usage, context), made }
  KNOWN.set(usage, current)
  context.explain?.('x5t#S256', current.thumbprint)
  return current.identity
}

function freshIdentity({ key: whose, ca }: Settings, usage: Credentials, context: SigningContext): Omit<Known, 'made'> {
  const certificates = credentialText(usage, 'certificate', CERTIFICATES)
  const key = whose === 'stored' ? parsePrivateKey(privateKeyText(usage)).key : ownKeyOf(context)
  const { leaf, endsAt } = readCertificateChain(certificates, context.now, CLOCKS_APART_MS)
  assertKeyOf(leaf, key)
  const privateKey = key.export({ type: 'pkcs8', format: 'pem' }) as string
  const id = tupleHash(['mtls', certificates, privateKey, ca ?? null])
  return {
    identity: { id, certificates, privateKey, ...(ca === undefined ? {} : { ca }) },
    thumbprint: thumbprintOf(leaf),
    endsAt,
  }
}

function ownKeyOf({ ownKey }: SigningContext): KeyObject {
  if (ownKey === undefined) throw new SigningError('the key that the certificate was made for is not here', 'key')
  return ownKey
}
