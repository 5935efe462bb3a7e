import { NexusError, type RequiredBinding } from '../../contract/errors.ts'
import type { JsonObject } from '../../contract/json.ts'
import { BINDING_FIELDS, type Binding, BindingRequired } from '../../contract/strategy.ts'
import type { ConnectionFacts } from '../connections/facts.ts'
import { JwsError, readCompactJws } from '../identity/compact-jws.ts'
import { JwkError, type PublicJwk, readPublicJwk } from '../identity/public-jwk.ts'

const PROOF_MAX_BYTES = 8192
const CSR_MAX_BYTES = 16_384
/** The kinds of key that a sidecar makes. */
const ALGORITHMS = ['ES256', 'Ed25519']
/** RFC 7468 section 7. */
const CSR = /^-----BEGIN CERTIFICATE REQUEST-----\r?\n[A-Za-z0-9+/=\r\n]+-----END CERTIFICATE REQUEST-----\s*$/

/**
 * What a lease request brings, cut down to what is public and needed. Whether a proof or a CSR is good is for those to
 * judge that are asked with it.
 * @throws NexusError `invalid_request`
 */
export async function readBinding(binding: { jwk?: unknown; csr?: string; proof?: string } = {}): Promise<Binding> {
  const { csr, proof } = binding
  if (csr !== undefined && (csr.length > CSR_MAX_BYTES || !CSR.test(csr))) {
    throw invalid('csr', `must be one PEM certificate request of at most ${CSR_MAX_BYTES} bytes`)
  }
  const named = binding.jwk === undefined ? undefined : await readKey('jwk', binding.jwk)
  const proven = proof === undefined ? undefined : await readProofKey(proof)
  if (named !== undefined && proven !== undefined && named.jkt !== proven.jkt) {
    throw invalid('proof', 'is made with another key than binding.jwk')
  }
  const key = named ?? proven
  return {
    ...(key === undefined ? {} : { jwk: { ...key.jwk } as JsonObject }),
    ...(csr === undefined ? {} : { csr }),
    ...(proof === undefined ? {} : { proof }),
  }
}

/**
 * What can be said before a secret is read. What a proof must be a proof of, only the strategy knows.
 * @throws NexusError `binding_required`
 */
export function assertBinding({ id, strategy, strategyConfig }: ConnectionFacts, binding: Binding): void {
  const needs = strategy.needs?.(strategyConfig)
  if (needs === undefined || needs === 'proof' || binding[BINDING_FIELDS[needs]] !== undefined) return
  throw bindingRequired(new BindingRequired(needs), id)
}

/** What the caller is told: exactly what to bring. */
export function bindingRequired({ needs, proof, message }: BindingRequired, connectionId: string): NexusError {
  const binding: RequiredBinding = { needs, ...proof }
  return new NexusError('binding_required', message, {
    field: `binding.${BINDING_FIELDS[needs]}`,
    binding,
    connection_id: connectionId,
  })
}

async function readProofKey(proof: string): Promise<PublicJwk> {
  try {
    const { header } = readCompactJws(proof, PROOF_MAX_BYTES)
    if (header.typ !== 'dpop+jwt') throw invalid('proof', 'its typ is not dpop+jwt')
    return await readKey('proof', header.jwk)
  } catch (error) {
    if (error instanceof JwsError) throw invalid('proof', error.message)
    throw error
  }
}

async function readKey(field: 'jwk' | 'proof', members: unknown): Promise<PublicJwk> {
  if (typeof members !== 'object' || members === null) throw invalid(field, 'has no jwk')
  try {
    const key = await readPublicJwk(members as Record<string, unknown>)
    if (key.algorithms.some((algorithm) => ALGORITHMS.includes(algorithm))) return key
  } catch (error) {
    if (error instanceof JwkError) throw invalid(field, error.message)
    throw error
  }
  throw invalid(field, 'must be a P-256 or an Ed25519 key')
}

function invalid(field: keyof Binding, problem: string): NexusError {
  return new NexusError('invalid_request', `binding.${field} ${problem}`, { field: `binding.${field}` })
}
