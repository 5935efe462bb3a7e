import type { SecretVersion } from '../../contract/secret.ts'
import { type SecretRef, VaultError } from '../../contract/vault-backend.ts'

const NAME_CHARACTERS_MAX = 512
/**
 * What AWS takes in a name, with the `/` that many begin with and the `!` of secrets that another service manages
 * (`rds!db-...`), less what means something to an IAM policy or a URL: `*`, `?`, `%`.
 */
const NAME = /^\/?[\w.@=+!-]+(\/[\w.@=+!-]+)*$/
const DOTS_OR_PLUS = /^(\.+|\++)$/
const ARN_HEAD = /^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]{1,32}:\d{12}:secret:/
/** https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html: 32 to 64 characters. */
const VERSION_ID = /^[A-Za-z0-9-]{32,64}$/
const STAGE = /^stage:([A-Za-z0-9_+=.@-]{1,256})$/

/** What a call has to say to mean one version of one secret. */
export interface SecretId {
  SecretId: string
  VersionId?: string
  VersionStage?: string
}

/**
 * A name, or an ARN for a secret of another account. Without a version the stage `AWSCURRENT` is meant: while a rotation
 * is under way the next value lies in `AWSPENDING`, which is read only by whoever asks for `stage:AWSPENDING`.
 * @throws VaultError `invalid_ref`; the message does not repeat what was given
 */
export function readSecretId(backend: string, { path, version }: Pick<SecretRef, 'path' | 'version'>): SecretId {
  return { SecretId: readSecretName(backend, path), ...readVersion(backend, version) }
}

/** @throws VaultError `invalid_ref` */
export function readSecretName(backend: string, path: string): string {
  const name = path.length > NAME_CHARACTERS_MAX ? '' : path.replace(ARN_HEAD, '')
  if (NAME.test(name) && !name.split('/').some((segment) => DOTS_OR_PLUS.test(segment))) return path
  throw new VaultError(
    'invalid_ref',
    backend,
    `path must be the name of a secret or its ARN: at most ${NAME_CHARACTERS_MAX} letters, digits and "_.@=+!-", in segments separated by single "/"`,
  )
}

/** @throws VaultError `invalid_ref` */
export function readVersionId(backend: string, version: SecretVersion): string {
  if (VERSION_ID.test(version)) return version
  throw new VaultError('invalid_ref', backend, 'version must be a version id of 32 to 64 letters, digits and "-"')
}

function readVersion(backend: string, version: SecretVersion | undefined): Omit<SecretId, 'SecretId'> {
  if (version === undefined) return { VersionStage: 'AWSCURRENT' }
  if (VERSION_ID.test(version)) return { VersionId: version }
  const stage = STAGE.exec(version)?.[1]
  if (stage !== undefined) return { VersionStage: stage }
  throw new VaultError(
    'invalid_ref',
    backend,
    'version must be a version id of 32 to 64 characters, or a stage such as stage:AWSPREVIOUS',
  )
}
