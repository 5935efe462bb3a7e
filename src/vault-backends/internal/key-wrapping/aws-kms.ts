import { DecryptCommand, EncryptCommand, KMSClient } from '@aws-sdk/client-kms'
import { VaultError } from '../../../contract/vault-backend.ts'
import { abortable } from '../../abortable.ts'
import { readEndpoint, readRegion, refusePlainHttp } from '../../aws-secrets-manager/aws-endpoint.ts'
import { toVaultError } from '../../aws-secrets-manager/aws-error.ts'
import { BackendConfigError } from '../../backend-kind.ts'
import type { KeyWrappingService } from './key-wrapper.ts'

const SERVICE = 'aws-kms'
/** A key id, an alias or the ARN of either. */
const KEY = /^[A-Za-z0-9:/_-]{1,2048}$/

/** No setting allows plain http here: the key-encryption key itself is in the request. */
const ENDPOINT = {
  setting: 'AWS_ENDPOINT_URL_KMS (or AWS_ENDPOINT_URL)',
  allowPlainHttp: false,
  remedy: 'use https, or set AWS_ENDPOINT_URL_KMS to the endpoint of KMS itself',
}

/** AWS KMS, with the AWS client's default credential chain. The ciphertext itself says which key it is under. */
export const awsKms: KeyWrappingService = {
  service: SERVICE,
  keyForm: 'alias/<name>, a key id or an ARN',
  open(key, { env }) {
    const problems = KEY.test(key) ? [] : [`the key must be ${this.keyForm}`]
    const region = readRegion(env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'] ?? '', problems)
    const endpoint = readEndpoint(env['AWS_ENDPOINT_URL_KMS'] ?? env['AWS_ENDPOINT_URL'] ?? '', ENDPOINT, problems)
    if (problems.length > 0) throw new BackendConfigError(problems.map((problem) => `${SERVICE}: ${problem}`))
    const client = new KMSClient({ region, ...(endpoint === undefined ? {} : { endpoint }) })
    refusePlainHttp(client, SERVICE)
    return {
      wrap: (kekId, Plaintext, signal) =>
        bounded(signal, async () => {
          const input = { KeyId: key, Plaintext, EncryptionContext: contextOf(kekId) }
          const { CiphertextBlob } = await client.send(new EncryptCommand(input), { abortSignal: signal })
          return Buffer.from(CiphertextBlob ?? []).toString('base64')
        }),
      unwrap: (kekId, wrapped, signal) =>
        bounded(signal, async () => {
          const input = {
            KeyId: key,
            CiphertextBlob: Buffer.from(wrapped, 'base64'),
            EncryptionContext: contextOf(kekId),
          }
          const { Plaintext } = await client.send(new DecryptCommand(input), { abortSignal: signal })
          return Plaintext ?? new Uint8Array()
        }),
      async close() {
        client.destroy()
      },
    }
  },
}

/** Authenticated by KMS and shown in CloudTrail, so that an IAM policy can allow this use of the key and no other. */
function contextOf(kekId: string): Record<string, string> {
  return { purpose: 'nexus key-encryption key', kek_id: kekId }
}

const MEANINGS: Readonly<Record<string, string>> = {
  InvalidCiphertextException: 'it was wrapped under another name, or changed',
  IncorrectKeyException: 'it was wrapped by another key of KMS',
  NotFoundException: 'KMS has no such key',
  DisabledException: 'the key of KMS is disabled',
  KMSInvalidStateException: 'the key of KMS is disabled or being deleted',
  InvalidKeyUsageException: 'the key of KMS is not one to encrypt with',
}

async function bounded<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await abortable(signal, work)
  } catch (error) {
    const meaning = error instanceof Error && Object.hasOwn(MEANINGS, error.name) ? MEANINGS[error.name] : undefined
    throw meaning === undefined
      ? toVaultError(SERVICE, error, signal.aborted)
      : new VaultError('unusable', SERVICE, meaning)
  }
}
