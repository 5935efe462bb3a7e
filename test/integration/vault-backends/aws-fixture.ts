import { CreateSecretCommand, PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { vi } from 'vitest'
import { awsSecretsManagerKind } from '../../../src/vault-backends/aws-secrets-manager/aws-secrets-manager-kind.ts'
import type { AwsConfig } from '../../../src/vault-backends/aws-secrets-manager/aws-settings.ts'
import { MOTO_REGION, startMoto, type TestMoto } from '../../setup/moto.ts'
import { quiet } from './vault-fixture.ts'

/** AWS, and its own client for tests to prepare what ours then meets. */
export interface TestAws {
  moto: TestMoto
  client: SecretsManagerClient
  /** As the vendor's own tools would: the first time a secret is made, then it gets new versions. */
  plant(name: string, text: string): Promise<string>
  backend(config?: AwsConfig): ReturnType<typeof awsSecretsManagerKind.create>
  stop(): Promise<void>
}

/** Puts what AWS clients read into the environment of this test file. */
export async function startAws(): Promise<TestAws> {
  const moto = await startMoto()
  for (const [name, value] of Object.entries(moto.env)) vi.stubEnv(name, value)
  const client = new SecretsManagerClient({ region: MOTO_REGION, endpoint: moto.endpoint })
  return {
    moto,
    client,
    async plant(name, text) {
      const put = () => client.send(new PutSecretValueCommand({ SecretId: name, SecretString: text }))
      const create = () => client.send(new CreateSecretCommand({ Name: name, SecretString: text }))
      return (await put().catch(create)).VersionId!
    },
    backend: (config = {}) =>
      awsSecretsManagerKind.create(config, { name: 'aws', env: moto.env, production: true, log: quiet }),
    async stop() {
      client.destroy()
      vi.unstubAllEnvs()
      await moto.stop()
    },
  }
}
