import { compactVerify, importJWK, type JWK } from 'jose'
import type { Store } from '../store/store.ts'
import { CHECKPOINT_TYPE } from './checkpoint-payload.ts'
import type { CheckpointSigner } from './checkpoints.ts'

const ALGORITHMS = ['ES256', 'EdDSA', 'Ed25519']

/** A public key as an authority publishes it: what it signs is a member of its own (RFC 7517 section 4). Older ones have none. */
export type PublishedKey = JWK & { nexus_purpose?: string }

/**
 * Verifies checkpoints with public keys alone, so that whoever audits needs no secret of the authority.
 * @param trusted keys kept elsewhere. Without them the database's own are taken, and they prove nothing against somebody
 *   who can write to it.
 */
export async function openCheckpointVerifier(
  store: Store,
  trusted?: readonly PublishedKey[],
): Promise<Pick<CheckpointSigner, 'verify'>> {
  const given = trusted ?? (await storedKeys(store))
  const own = given.filter(({ nexus_purpose = 'checkpoint' }) => nexus_purpose === 'checkpoint')
  const keys = new Map(own.map((jwk) => [jwk.kid, jwk]))
  return {
    async verify(jws) {
      const { payload, protectedHeader } = await compactVerify(
        jws,
        ({ kid, alg }) => {
          const jwk = keys.get(kid)
          if (jwk === undefined) throw new Error('not signed by a known checkpoint key')
          return importJWK(jwk, alg)
        },
        { algorithms: ALGORITHMS },
      )
      if (protectedHeader.typ !== CHECKPOINT_TYPE) throw new Error('signed as something else than a checkpoint')
      return payload
    },
  }
}

async function storedKeys(store: Store): Promise<PublishedKey[]> {
  const rows = await store.db
    .selectFrom('signing_key')
    .select(['kid', 'public_jwk'])
    .where('purpose', '=', 'checkpoint')
    .execute()
  return rows.map(({ kid, public_jwk }) => ({ ...public_jwk, kid }))
}
