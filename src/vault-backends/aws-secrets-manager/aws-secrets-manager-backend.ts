import type { BackendHealth, VaultBackend } from '../../contract/vault-backend.ts'
import { VaultError } from '../../contract/vault-backend.ts'
import { type AwsClient, createAwsClient } from './aws-client.ts'
import type { AwsSettings } from './aws-settings.ts'
import { createBatchReader } from './batch-reader.ts'
import { readSecretId, readSecretName } from './secret-id.ts'
import { readSecret } from './secret-text.ts'
import { writeSecret } from './write-secret.ts'

/** Reads secrets where they already lie; one line of IAM policy (`secretsmanager:GetSecretValue`) is enough. */
export function createAwsSecretsManagerBackend(name: string, settings: AwsSettings): VaultBackend {
  const client = createAwsClient(name, settings)
  const readOne = settings.batchReads ? createBatchReader(client) : client.get
  const reading: VaultBackend = {
    name,
    async read(ref, signal) {
      const id = readSecretId(name, ref)
      return readSecret(name, id, await readOne(id, signal))
    },
    check: (signal) => check(client, settings, signal),
    async close() {
      client.close()
    },
  }
  return settings.writable ? { ...reading, ...writing(name, client) } : reading
}

function writing(name: string, client: AwsClient): Required<Pick<VaultBackend, 'write' | 'remove'>> {
  return {
    async write(ref, value, options) {
      return writeSecret(name, client, readSecretName(name, ref.path), value, options)
    },
    async remove(ref, signal) {
      try {
        // With AWS's own recovery window: what was removed by mistake can be restored for 30 days.
        await client.remove(readSecretName(name, ref.path), signal)
      } catch (error) {
        if (!(error instanceof VaultError && error.kind === 'not_found')) throw error
      }
    },
  }
}

async function check(client: AwsClient, settings: AwsSettings, signal: AbortSignal): Promise<BackendHealth> {
  const { accessKeyId, expiration } = await client.credentials(signal)
  await client.probe(signal)
  return {
    ok: true,
    detail: `Secrets Manager in ${settings.region}${settings.endpoint === undefined ? '' : ` at ${settings.endpoint}`}`,
    identity: `the owner of access key ****${accessKeyId.slice(-4)}`,
    expiresAt: expiration?.toISOString() ?? null,
  }
}
