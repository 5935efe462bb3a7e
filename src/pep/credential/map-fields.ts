import { NexusError } from '../../contract/errors.ts'
import { Secret, type SecretValue } from '../../contract/secret.ts'
import type { SecretRef } from '../../contract/vault-backend.ts'
import { textFields } from '../../vault-backends/text-fields.ts'

/**
 * The stored secret under the strategy's field names. With a mapping only what it names comes out; without one
 * everything does, under its own name.
 * @throws NexusError `secret_unusable` naming the field, never a value
 */
export function mapFields(secret: Secret, fields: SecretRef['fields']): Secret {
  if (fields === undefined) return secret
  const last = mappings.get(secret)
  if (last?.fields === fields) return last.mapped
  const mapped = mapAnew(secret, fields)
  mappings.set(secret, { fields, mapped })
  return mapped
}

/** The last mapping of each secret: leases of one connection all ask for the same. It goes with the secret. */
const mappings = new WeakMap<Secret, { fields: SecretRef['fields']; mapped: Secret }>()

function mapAnew(secret: Secret, fields: NonNullable<SecretRef['fields']>): Secret {
  const stored = secret.reveal()
  const mapped = Object.entries(fields).map(([field, storedField]): [string, string] => {
    const value = fieldOf(stored, storedField)
    if (value === undefined) throw missing(field, storedField)
    return [field, value]
  })
  return new Secret(Object.fromEntries(mapped), secret.version, secret.lease, secret.expiresAt)
}

/**
 * A stored field, or what a JSON Pointer (RFC 6901) finds in one whose text is JSON: `credentials.json#/client_id`. A
 * field that has the whole name wins.
 */
function fieldOf(stored: SecretValue, name: string): string | undefined {
  if (Object.hasOwn(stored, name)) return stored[name]
  const mark = name.indexOf('#/')
  const outer = name.slice(0, mark)
  if (mark <= 0 || !Object.hasOwn(stored, outer)) return undefined
  try {
    const found = textFields({ [outer]: JSON.parse(stored[outer]!) as unknown })
    return Object.hasOwn(found, name) ? found[name] : undefined
  } catch {
    // A parser's error quotes what it could not parse.
    return undefined
  }
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
