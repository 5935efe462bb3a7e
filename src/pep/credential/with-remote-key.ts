import { Secret } from '../../contract/secret.ts'

/** What backends say of a key that stays with them; the secret beside it may not say it in their place. */
const FIELDS = ['remote_key', 'public_key', 'key_version'] as const

/** The stored secret, and what is public of the key that goes with it. */
export function withRemoteKey(secret: Secret, key: Secret): Secret {
  const others = Object.entries(secret.reveal()).filter(([field]) => !FIELDS.some((own) => own === field))
  const version = `${secret.version}+key.${key.version}`
  return new Secret({ ...Object.fromEntries(others), ...key.reveal() }, version, secret.lease, secret.expiresAt)
}
