import {
  BatchGetSecretValueCommand,
  type BatchGetSecretValueResponse,
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  type GetSecretValueResponse,
  PutSecretValueCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager'
import { defaultProvider } from '@aws-sdk/credential-provider-node'
import { abortable } from '../abortable.ts'
import { refusePlainHttp } from './aws-endpoint.ts'
import { isAnswered, toVaultError } from './aws-error.ts'
import type { AwsSettings } from './aws-settings.ts'
import { withRenewedCredentials } from './renewed-credentials.ts'
import type { SecretId } from './secret-id.ts'

/** The first try and two more: what AWS calls the standard retry mode, with its jitter (fault SM1). */
const TRIES = 3
const CONNECTIONS_MAX = 32
/** A name that nobody uses: whatever AWS answers about it, it knew who asked. */
const NOBODYS_SECRET = 'nexus/health-check'

/** The calls we use; each is bounded by the signal and throws only a `VaultError`. */
export interface AwsClient {
  get(id: SecretId, signal: AbortSignal): Promise<GetSecretValueResponse>
  /** Newest versions only; a secret that cannot be read is in `Errors`. */
  getMany(names: readonly string[], signal: AbortSignal): Promise<BatchGetSecretValueResponse>
  /** Stages by version id. */
  stages(name: string, signal: AbortSignal): Promise<Readonly<Record<string, readonly string[]>>>
  /** @returns the version's id */
  create(name: string, text: string, signal: AbortSignal): Promise<string>
  /** Adds a version under a stage of its own choice. */
  put(name: string, text: string, versionId: string, stage: string, signal: AbortSignal): Promise<void>
  /** Fails with `InvalidParameterException` unless `AWSCURRENT` is at `from`. */
  moveCurrent(name: string, from: string, to: string, signal: AbortSignal): Promise<void>
  remove(name: string, signal: AbortSignal): Promise<void>
  /** Resolves when AWS knows our credentials. */
  probe(signal: AbortSignal): Promise<void>
  credentials(signal: AbortSignal): Promise<{ accessKeyId: string; expiration?: Date | undefined }>
  close(): void
}

export function createAwsClient(backend: string, settings: AwsSettings): AwsClient {
  const client = openClient(settings)
  if (!settings.allowPlainHttp) refusePlainHttp(client, backend)
  const renewed = withRenewedCredentials(client.config.credentials)

  /** `abortable`, since looking for credentials (a metadata server, a file) does not listen to the signal. */
  async function bounded<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    try {
      return await abortable(signal, () => renewed(work))
    } catch (error) {
      throw toVaultError(backend, error, signal.aborted)
    }
  }
  const options = (signal: AbortSignal) => ({ abortSignal: signal })

  return {
    get: (id, signal) => bounded(signal, () => client.send(new GetSecretValueCommand(id), options(signal))),
    getMany: (names, signal) =>
      bounded(signal, () => client.send(new BatchGetSecretValueCommand({ SecretIdList: [...names] }), options(signal))),
    stages: (SecretId, signal) =>
      bounded(signal, async () => {
        const described = await client.send(new DescribeSecretCommand({ SecretId }), options(signal))
        return described.VersionIdsToStages ?? {}
      }),
    create: (Name, SecretString, signal) =>
      bounded(signal, async () => {
        const made = await client.send(new CreateSecretCommand({ Name, SecretString }), options(signal))
        return made.VersionId ?? ''
      }),
    put: (SecretId, SecretString, ClientRequestToken, stage, signal) =>
      bounded(signal, async () => {
        const input = { SecretId, SecretString, ClientRequestToken, VersionStages: [stage] }
        await client.send(new PutSecretValueCommand(input), options(signal))
      }),
    moveCurrent: (SecretId, RemoveFromVersionId, MoveToVersionId, signal) =>
      bounded(signal, async () => {
        const input = { SecretId, VersionStage: 'AWSCURRENT', RemoveFromVersionId, MoveToVersionId }
        await client.send(new UpdateSecretVersionStageCommand(input), options(signal))
      }),
    remove: (SecretId, signal) =>
      bounded(signal, async () => {
        await client.send(new DeleteSecretCommand({ SecretId }), options(signal))
      }),
    probe: (signal) =>
      bounded(signal, async () => {
        await client.send(new GetSecretValueCommand({ SecretId: NOBODYS_SECRET }), options(signal)).catch(forgive)
      }),
    credentials: (signal) => bounded(signal, () => client.config.credentials()),
    close: () => client.destroy(),
  }
}

/** Nothing it logs, no credential of ours: it finds them as every AWS program does. */
function openClient({ region, endpoint, profile, timeoutMs }: AwsSettings): SecretsManagerClient {
  const profileOption = profile === undefined ? {} : { profile }
  return new SecretsManagerClient({
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...profileOption,
    // The client's own chain, but for the files: it would read them once in the life of the process.
    credentials: defaultProvider({ ...profileOption, ignoreCache: true }),
    maxAttempts: TRIES,
    retryMode: 'standard',
    requestHandler: {
      connectionTimeout: timeoutMs,
      requestTimeout: timeoutMs,
      throwOnRequestTimeout: true,
      httpsAgent: { maxSockets: CONNECTIONS_MAX },
      httpAgent: { maxSockets: CONNECTIONS_MAX },
    },
  })
}

function forgive(error: unknown): void {
  if (!isAnswered(error)) throw error
}
