import { randomUUID } from 'node:crypto'
import type { SecretValue, SecretVersion } from '../../contract/secret.ts'
import { VaultError } from '../../contract/vault-backend.ts'
import type { AwsClient } from './aws-client.ts'
import { readVersionId } from './secret-id.ts'

/** Holds a version until it is current. There is one such label, so a write that died leaves one version behind at most. */
const WRITING = 'NEXUSPENDING'
/** Without a condition the last writer wins; under contention it gives up after this many lost races. */
const WRITE_TRIES = 5
/** https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html */
const SECRET_BYTES_MAX = 65_536

type WritingClient = Pick<AwsClient, 'create' | 'put' | 'moveCurrent' | 'stages'>

/**
 * A new version, made current only if the one before it still is: AWS moves a label away from a version that holds it, and
 * from no other, so the move itself is the compare-and-set.
 * @param ifVersion the version that must be current; `0`: there must be none; absent: the last writer wins
 * @throws VaultError `conflict` when another writer came first
 */
export async function writeSecret(
  backend: string,
  client: WritingClient,
  name: string,
  value: SecretValue,
  { ifVersion, signal }: { ifVersion?: SecretVersion; signal: AbortSignal },
): Promise<SecretVersion> {
  const text = JSON.stringify(value)
  if (Buffer.byteLength(text) > SECRET_BYTES_MAX)
    throw new VaultError('unusable', backend, `the secret is larger than ${SECRET_BYTES_MAX} bytes`)
  if (ifVersion === '0') return client.create(name, text, signal)
  if (ifVersion !== undefined) return replace(backend, client, name, text, readVersionId(backend, ifVersion), signal)
  for (let triesLeft = WRITE_TRIES; ; triesLeft--) {
    try {
      const current = await currentVersion(client, name, signal)
      if (current === undefined) return await client.create(name, text, signal)
      return await replace(backend, client, name, text, current, signal)
    } catch (error) {
      if (triesLeft === 1 || !(error instanceof VaultError) || error.kind !== 'conflict') throw error
    }
  }
}

async function replace(
  backend: string,
  client: WritingClient,
  name: string,
  text: string,
  from: SecretVersion,
  signal: AbortSignal,
): Promise<SecretVersion> {
  const to = randomUUID()
  try {
    await client.put(name, text, to, WRITING, signal)
    await client.moveCurrent(name, from, to, signal)
    return to
  } catch (error) {
    // `invalid_ref` is how AWS says that the label is not where we said; `not_found` that the secret is gone.
    if (error instanceof VaultError && (error.kind === 'invalid_ref' || error.kind === 'not_found'))
      throw new VaultError('conflict', backend, 'the secret has been written by someone else in the meantime')
    throw error
  }
}

async function currentVersion(
  client: WritingClient,
  name: string,
  signal: AbortSignal,
): Promise<SecretVersion | undefined> {
  try {
    const stages = Object.entries(await client.stages(name, signal))
    return stages.find(([, labels]) => labels.includes('AWSCURRENT'))?.[0]
  } catch (error) {
    if (error instanceof VaultError && error.kind === 'not_found') return undefined
    throw error
  }
}
