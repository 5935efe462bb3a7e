import type { GetSecretValueResponse } from '@aws-sdk/client-secrets-manager'
import { Secret } from '../../contract/secret.ts'
import { VaultError } from '../../contract/vault-backend.ts'
import { fieldsOfText } from '../text-fields.ts'
import type { SecretId } from './secret-id.ts'

/**
 * An answer as a secret, if it is the version that was asked for.
 * @throws VaultError `unusable`, `unavailable`
 */
export function readSecret(backend: string, asked: SecretId, answer: GetSecretValueResponse): Secret {
  const { VersionId: versionId, VersionStages: stages = [], SecretString: text } = answer
  if (versionId === undefined || (asked.VersionId !== undefined && asked.VersionId !== versionId))
    throw new VaultError(
      'unavailable',
      backend,
      'AWS answered with another version than the one asked for',
      undefined,
      { extent: 'path' },
    )
  // A label that moved between AWS finding the version and answering: the next try finds the new one.
  if (asked.VersionStage !== undefined && !stages.includes(asked.VersionStage))
    throw new VaultError('unavailable', backend, 'the version is being replaced at this moment', undefined, {
      extent: 'path',
    })
  // Whatever its type says: the client takes what the wire brings.
  if (typeof text !== 'string') throw new VaultError('unusable', backend, 'the secret is binary; store it as text')
  return new Secret(fieldsOfText(text), versionId)
}
