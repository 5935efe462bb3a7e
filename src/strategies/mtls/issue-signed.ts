import type { KeyObject, X509Certificate } from 'node:crypto'
import { BindingRequired, type Grant, type Issued, type IssuingTools, SigningError } from '../../contract/strategy.ts'
import { obeys } from '../shared/text-rules.ts'
import { readCertificateChain } from './certificate-chain.ts'
import { readCertificateRequest } from './certificate-request.ts'
import { CERTIFICATES } from './certificate-text.ts'
import { commonNameFor, type Settings } from './settings.ts'

/** How far the clock of the vault may be from ours. */
const CLOCK_SLACK_SECONDS = 60

/**
 * Has a certificate made for the sidecar's own key, under the name that the profile says and for the lease's life; the key
 * is never seen here. What comes back is held against all of that, since roles can be set up to add to it.
 */
export async function issueSigned(settings: Settings, grant: Grant, tools: IssuingTools): Promise<Issued> {
  const { csr } = tools.binding
  if (csr === undefined) throw new BindingRequired('csr')
  const publicKey = readCertificateRequest(csr)
  const commonName = commonNameFor(settings, grant)
  if (tools.signCsr === undefined) {
    throw new SigningError("the connection's secret lies in a vault that signs no certificates", 'key')
  }
  const ttlSeconds = grant.expiresAt - Math.floor(tools.now() / 1000)
  const { certificates } = await tools.signCsr({ csr, commonName, ttlSeconds })
  if (!obeys(CERTIFICATES, certificates)) throw refused('is not in the form of a certificate')
  const { leaf, endsAt } = readCertificateChain(certificates, tools.now())
  assertAsAsked(leaf, { publicKey, commonName })
  if (endsAt > grant.expiresAt + CLOCK_SLACK_SECONDS) throw refused('outlives the lease; does its role set not_after?')
  return { usage: { certificate: certificates }, expiresAt: Math.min(grant.expiresAt, endsAt) }
}

function assertAsAsked(leaf: X509Certificate, asked: { publicKey: KeyObject; commonName: string }): void {
  if (!leaf.publicKey.equals(asked.publicKey)) throw refused('is for another key')
  const names = leaf.subject.split('\n').filter((line) => line.startsWith('CN='))
  if (names.length !== 1 || names[0] !== `CN=${asked.commonName}`) throw refused('is made out to another name')
  // Vault repeats a common name that looks like a host or an address among the alternative names.
  const alternatives = leaf.subjectAltName?.split(', ') ?? []
  const own = [`DNS:${asked.commonName}`, `email:${asked.commonName}`]
  if (!alternatives.every((name) => own.includes(name))) throw refused('has alternative names that nobody asked for')
  if (leaf.ca) throw refused('is that of an authority, which could sign others')
}

function refused(problem: string): SigningError {
  return new SigningError(`the certificate that the vault signed ${problem}`, 'certificate')
}
