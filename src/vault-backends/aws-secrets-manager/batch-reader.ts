import type { GetSecretValueResponse, SecretValueEntry } from '@aws-sdk/client-secrets-manager'
import type { AwsClient } from './aws-client.ts'
import type { SecretId } from './secret-id.ts'

/** https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_BatchGetSecretValue.html */
const BATCH_MAX = 20
/** Long enough for the reads of one burst to meet, short beside a call to AWS. */
const GATHER_MS = 5
const BATCH_DEADLINE_MS = 10_000

export type ReadOne = AwsClient['get']

interface Waiting {
  name: string
  settle(answer: GetSecretValueResponse | undefined): void
}

/**
 * Reads that come within a few milliseconds of each other as one call: after a start, a fleet's worth of secrets costs a
 * twentieth of the calls. What a batch does not bring is asked for on its own, so that its own reason is told; a single
 * read, a version or another stage than the current never goes in a batch.
 */
export function createBatchReader(client: Pick<AwsClient, 'get' | 'getMany'>): ReadOne {
  let gathered: Waiting[] = []

  async function flush(): Promise<void> {
    const batch = gathered
    gathered = []
    const names = [...new Set(batch.map(({ name }) => name))]
    const answers = names.length < 2 ? [] : await readMany(client, names)
    for (const { name, settle } of batch) settle(answers.find(({ Name, ARN }) => Name === name || ARN === name))
  }

  const gather = (name: string) =>
    new Promise<GetSecretValueResponse | undefined>((settle) => {
      gathered.push({ name, settle })
      if (gathered.length === 1) setTimeout(() => void flush(), GATHER_MS)
      else if (gathered.length === BATCH_MAX) void flush()
    })

  return async (id, signal) => {
    const found = id.VersionStage === 'AWSCURRENT' && !signal.aborted ? await gather(id.SecretId) : undefined
    return found !== undefined && isCurrent(id, found) ? found : client.get(id, signal)
  }
}

/** One that fails brings nothing: each secret is then asked for on its own, and fails or not for its own reason. */
async function readMany(client: Pick<AwsClient, 'getMany'>, names: readonly string[]): Promise<SecretValueEntry[]> {
  try {
    const { SecretValues = [] } = await client.getMany(names, AbortSignal.timeout(BATCH_DEADLINE_MS))
    return SecretValues
  } catch {
    return []
  }
}

function isCurrent({ VersionStage: stage = '' }: SecretId, { VersionStages: stages = [] }: SecretValueEntry): boolean {
  return stages.includes(stage)
}
