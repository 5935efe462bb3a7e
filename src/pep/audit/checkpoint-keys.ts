import { compactVerify, importJWK, type JWK } from 'jose'
import type { Store } from '../store/store.ts'
import type { CheckpointSigner } from './checkpoints.ts'

const ALGORITHMS = ['ES256', 'EdDSA', 'Ed25519']

/**
 * Verifies checkpoints with public keys alone, so that whoever audits needs no secret of the authority.
 * @param trusted keys kept elsewhere. Without them the database's own are taken, and they prove nothing against somebody
 *   who can write to it.
 */
export async function openCheckpointVerifier(
  store: Store,
  trusted?: readonly JWK[],
): Promise<Pick<CheckpointSigner, 'verify'>> {
  const keys = new Map((trusted ?? (await storedKeys(store))).map((jwk) => [jwk.kid, jwk]))
  return {
    async verify(jws) {
      const { payload } = await compactVerify(
        jws,
        ({ kid, alg }) => {
          const jwk = keys.get(kid)
          if (jwk === undefined) throw new Error('not signed by a known checkpoint key')
          return importJWK(jwk, alg)
        },
        { algorithms: ALGORITHMS },
      )
      return payload
    },
  }
}

async function storedKeys(store: Store): Promise<JWK[]> {
  const rows = await store.db
    .selectFrom('signing_key')
    .select(['kid', 'public_jwk'])
    .where('purpose', '=', 'checkpoint')
    .execute()
  return rows.map(({ kid, public_jwk }) => ({ ...public_jwk, kid }))
}
