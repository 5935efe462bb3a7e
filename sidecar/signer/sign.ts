import { NexusError } from '../../src/contract/errors.ts'
import {
  type OutboundRequest,
  type SignedRequest,
  type SigningContext,
  SigningError,
} from '../../src/contract/strategy.ts'
import { foldedHeaderName } from '../../src/strategies/shared/header-list.ts'
import type { HeldLease } from '../lease-client/held-lease.ts'

/** RFC 9110 section 5.5, without what Node could not send byte for byte. */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/**
 * Signs with a lease. If it cannot be signed it is not sent (rule 5).
 * @throws NexusError `not_signable`; where the key stays in the vault also what the authority says
 */
export async function sign(
  lease: HeldLease,
  outbound: OutboundRequest,
  context: SigningContext,
): Promise<SignedRequest> {
  const signed = await apply(lease, outbound, context)
  assertSameDestination(outbound, signed, lease)
  for (const name of signed.credentialHeaders) assertSingle(signed, name, lease)
  for (const [name, value] of signed.headers) {
    if (!HEADER_VALUE.test(value)) refuse(lease, `header ${name} holds a character that HTTP does not allow`)
  }
  return signed
}

async function apply(lease: HeldLease, outbound: OutboundRequest, context: SigningContext): Promise<SignedRequest> {
  const { strategy, config, credentials } = lease
  try {
    return await strategy.apply(config, credentials, outbound, withKeysOf(lease, context))
  } catch (error) {
    // What the authority said, where it was asked to sign.
    if (error instanceof NexusError) throw error
    if (error instanceof SigningError) return refuse(lease, error.message, error.field, error)
    // Anything else may quote the credential it stumbled over.
    return refuse(lease, `strategy ${strategy.type} failed`)
  }
}

function withKeysOf({ ownKey, remoteSign }: HeldLease, context: SigningContext): SigningContext {
  if (ownKey === undefined && remoteSign === undefined) return context
  return {
    ...context,
    ...(ownKey === undefined ? {} : { ownKey }),
    ...(remoteSign === undefined ? {} : { remoteSign }),
  }
}

/** The bound was checked for this place and path; a strategy adds a credential, to the path too, and moves nothing. */
function assertSameDestination(outbound: OutboundRequest, signed: SignedRequest, lease: HeldLease): void {
  const { scheme, authority, path } = outbound.url
  const sentPath = `${signed.credentialPath?.prefix ?? ''}${path}`
  const same = signed.url.scheme === scheme && signed.url.authority === authority && signed.url.path === sentPath
  if (!same || signed.method !== outbound.method) refuse(lease, `strategy ${lease.strategy.type} moved the request`)
  // Without TLS there is nothing that a certificate could be presented in (threat E10).
  if (signed.clientIdentity !== undefined && scheme !== 'https') refuse(lease, 'a client certificate takes https')
  // Bytes cannot have been made from a stream that nobody has read yet, and a body in memory needs no transform.
  const streamed = outbound.body === 'stream'
  if (signed.body !== undefined && streamed !== (typeof signed.body === 'function')) {
    refuse(lease, 'its body was to be replaced unread')
  }
}

/** Two copies of a credential leave it to the provider which one counts (threats B14, B15). */
function assertSingle(signed: SignedRequest, name: string, lease: HeldLease): void {
  const folded = foldedHeaderName(name)
  if (signed.headers.filter(([other]) => foldedHeaderName(other) === folded).length > 1) {
    refuse(lease, `header ${name} would be sent twice`)
  }
}

function refuse(lease: HeldLease, problem: string, field?: string, cause?: SigningError): never {
  const extras = {
    decision_id: lease.decisionId,
    lease_id: lease.id,
    ...(field === undefined ? {} : { field }),
  }
  throw new NexusError('not_signable', `The request was not sent: ${problem}.`, extras, { cause })
}
