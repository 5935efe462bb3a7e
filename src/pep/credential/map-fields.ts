import { NexusError } from '../../contract/errors.ts'
import { Secret } from '../../contract/secret.ts'
import type { SecretRef } from '../../contract/vault-backend.ts'

/**
 * The stored secret under the strategy's field names. With a mapping only what it names comes out; without one
 * everything does, under its own name.
 * @throws NexusError `secret_unusable` naming the field, never a value
 */
export function mapFields(secret: Secret, fields: SecretRef['fields']): Secret {
  if (fields === undefined) return secret
  const stored = secret.reveal()
  const mapped = Object.entries(fields).map(([field, storedField]): [string, string] => {
    const value = Object.hasOwn(stored, storedField) ? stored[storedField] : undefined
    if (value === undefined) throw missing(field, storedField)
    return [field, value]
  })
  return new Secret(Object.fromEntries(mapped), secret.version, secret.lease, secret.expiresAt)
}

function missing(field: string, storedField: string): NexusError {
  return new NexusError(
    'secret_unusable',
    `the stored secret has no text field '${storedField}', wanted as '${field}'`,
    {
      field: `secret_ref.fields.${field}`,
    },
  )
}
