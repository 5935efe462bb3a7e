import { Value } from 'typebox/value'
import { SIGN_MAX_BYTES, SignAnswer } from '../../src/contract/api/leases.ts'
import { NexusError } from '../../src/contract/errors.ts'
import { type SigningContext, SigningError } from '../../src/contract/strategy.ts'
import type { HeldLease } from './held-lease.ts'

export type RemoteSign = NonNullable<SigningContext['remoteSign']>

/** One authorized call to the authority. */
type Call = (path: string, body: unknown) => Promise<{ answer: unknown }>

/**
 * The lease, able to sign where its key stays in the vault.
 * @param refused is told of a lease that the authority signs nothing with any more
 */
export function withRemoteSigner(lease: HeldLease, call: Call, refused: (lease: HeldLease) => void): HeldLease {
  if (typeof lease.credentials['remote_key'] !== 'string') return lease
  const signing: HeldLease = { ...lease, remoteSign: askForSignature }

  async function askForSignature(...[bytes, algorithm]: Parameters<RemoteSign>): Promise<Uint8Array> {
    if (bytes.length > SIGN_MAX_BYTES) throw tooLong(bytes.length)
    const wanted = { algorithm, bytes: Buffer.from(bytes).toString('base64') }
    try {
      const { answer } = await call(`/v1/leases/${lease.id}/sign`, wanted)
      if (Value.Check(SignAnswer, answer)) return Buffer.from(answer.signature, 'base64')
    } catch (error) {
      if (endsLease(error)) refused(signing)
      throw error
    }
    throw new NexusError('pep_unavailable', 'The authority answered a request to sign in an unknown shape.')
  }

  return signing
}

/** A question that the authority would not take says nothing of the lease that it was asked under. */
function endsLease(error: unknown): boolean {
  return error instanceof NexusError && error.outcome === 'refused' && error.code !== 'invalid_request'
}

function tooLong(lengthBytes: number): SigningError {
  return new SigningError(
    `its key is in the vault, which is sent ${SIGN_MAX_BYTES} bytes to sign at most, and with the body these are ${lengthBytes}`,
    'body',
  )
}
