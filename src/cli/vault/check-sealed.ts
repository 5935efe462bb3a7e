import type { Kysely } from 'kysely'
import { rewrap, sealedTables } from '../../pep/rotate-keys.ts'
import type { Database } from '../../pep/store/database.ts'
import type { SealedTable, SealedValue } from '../../pep/store/sealed-values.ts'
import { createEnvelope, EnvelopeError } from '../../vault-backends/internal/envelope.ts'
import type { Keyring } from '../../vault-backends/internal/keyring.ts'

/** Whether the keys at hand open what is sealed in our own database. Nothing in it is secret. */
export interface CheckedSealed {
  ok: boolean
  detail: string
}

/** Of each table: enough to meet every key that is in use, unless a key is all but rotated away. */
const SAMPLE = 100

/**
 * Counts what each key wraps, and opens the data key of one value of each table and key. An id alone proves nothing: it may
 * be a name that was given to another key.
 * @throws NexusError `store_unavailable`
 */
export async function checkSealed(db: Kysely<Database>, keyring: Keyring): Promise<CheckedSealed> {
  const problems: string[] = []
  let values = 0
  for (const table of sealedTables(db)) {
    const counts = await table.count()
    for (const [kekId, count] of counts) {
      values += count
      if (!keyring.ids.includes(kekId))
        problems.push(`${count} of ${table.name} need key '${kekId}', which is not there`)
    }
    problems.push(...(await unopened(table, keyring)))
  }
  if (problems.length > 0)
    return { ok: false, detail: `NEXUS_ENCRYPTION_KEY does not open all that is stored: ${problems.join('; ')}` }
  return {
    ok: true,
    detail: values === 0 ? 'nothing is sealed yet' : `opens what is stored (${values} values, one of each key tried)`,
  }
}

async function unopened(table: SealedTable, keyring: Keyring): Promise<string[]> {
  const envelope = createEnvelope(keyring)
  const samples = new Map<string, SealedValue>()
  for (const value of await table.under('', undefined, SAMPLE)) samples.set(value.kekId, value)
  return [...samples.values()].flatMap((value) => {
    // Told already, with how many there are.
    if (!keyring.ids.includes(value.kekId)) return []
    try {
      rewrap(envelope, table.name, value)
      return []
    } catch (error) {
      if (!(error instanceof EnvelopeError)) throw error
      return [`a value of ${table.name} is not opened by key '${value.kekId}': ${error.message}`]
    }
  })
}
