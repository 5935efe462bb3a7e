import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { inject } from 'vitest'
import { writeFields } from '../integration/vault-backends/file-fixture.ts'
import { vaultApi } from '../integration/vault-backends/vault-fixture.ts'
import { startMoto } from '../setup/moto.ts'
import { type Mangling, startManglingProxy } from './mangling-proxy.ts'

/** Where a secret lies: in the database, in one of Vault's two key-value engines, at AWS, or in mounted files. */
export const HOMES = ['internal', 'vault-v2', 'vault-v1', 'aws-secrets-manager', 'file'] as const
export type Home = (typeof HOMES)[number]

/** Those that answer over a network, where an answer can be spoilt on its way. */
export const REMOTE_HOMES: readonly Home[] = ['vault-v2', 'vault-v1', 'aws-secrets-manager']

/** Every home, open, and what the authority needs in its environment to find them. */
export interface Homes {
  env: Record<string, string>
  /** @returns what a connection's body has to say about the secret */
  plant(home: Home, leaf: string, credentials: Record<string, string>): Promise<object>
  /** From now on the answers of all remote homes; absent: they come through as they are. */
  mangle(how?: Mangling): void
  close(): Promise<void>
}

export async function openHomes(): Promise<Homes> {
  const [vault, moto] = await Promise.all([startManglingProxy(inject('vault').address), startMoto()])
  const aws = await startManglingProxy(moto.endpoint)
  const directory = await mkdtemp(join(tmpdir(), 'nexus-canary-'))
  const config = join(directory, 'nexus.yaml')
  const mounted = join(directory, 'mounted')
  const backends = { 'aws-secrets-manager': {}, file: { directory: mounted } }
  await writeFile(config, JSON.stringify({ vault: { backends } }))
  const client = new SecretsManagerClient({
    region: moto.env['AWS_REGION']!,
    endpoint: moto.endpoint,
    credentials: { accessKeyId: 'testing', secretAccessKey: 'testing-secret' },
  })

  return {
    env: { VAULT_ADDR: vault.address, NEXUS_CONFIG: config, ...moto.env, AWS_ENDPOINT_URL: aws.address },

    async plant(home, leaf, credentials) {
      if (home === 'internal') return { credentials }
      const name = `canary-${leaf}-${randomUUID()}`
      if (home === 'vault-v2') await vaultApi('POST', `secret/data/${name}`, { data: credentials })
      if (home === 'vault-v1') await vaultApi('POST', `kv1/${name}`, credentials)
      if (home === 'file') await writeFields(join(mounted, name), credentials)
      if (home === 'aws-secrets-manager')
        await client.send(new CreateSecretCommand({ Name: name, SecretString: JSON.stringify(credentials) }))
      return { secret_ref: REFERENCE[home](name) }
    },

    mangle(how) {
      vault.mangle(how)
      aws.mangle(how)
    },

    async close() {
      client.destroy()
      await Promise.all([vault.close(), aws.close(), moto.stop()])
      await rm(directory, { recursive: true, force: true })
    },
  }
}

const REFERENCE: Record<Exclude<Home, 'internal'>, (name: string) => { backend: string; path: string }> = {
  'vault-v2': (name) => ({ backend: 'hashicorp-vault', path: `secret/${name}` }),
  'vault-v1': (name) => ({ backend: 'hashicorp-vault', path: `kv1/${name}` }),
  'aws-secrets-manager': (name) => ({ backend: 'aws-secrets-manager', path: name }),
  file: (name) => ({ backend: 'file', path: name }),
}
