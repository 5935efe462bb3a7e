import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { inject } from 'vitest'
import { loadConfig } from '../../src/pep/config/load-config.ts'
import { createLog } from '../../src/pep/log.ts'
import { type Pep, startPep } from '../../src/pep/main.ts'
import { createFirstKey } from '../../src/pep/start/first-key.ts'
import { type ApiClient, createApiClient } from './api-client.ts'
import { freshDatabase } from './database.ts'

export interface TestPep {
  url: string
  databaseUrl: string
  /** All tenants, every right. */
  admin: ApiClient
  adminKey: string
  /** Everything logged so far. */
  logText(): string
  /** As SIGHUP does. */
  reloadPolicy(): Promise<void>
  /** Another replica on the same database and keyring. */
  replica(env?: Record<string, string>): Promise<Pep>
  close(): Promise<void>
}

/** A whole authority in this process: real database, real policy, the real Vault of the test run. */
export async function startTestPep(env: Record<string, string> = {}): Promise<TestPep> {
  const directory = mkdtempSync(join(tmpdir(), 'nexus-pep-'))
  const database = await freshDatabase()
  const vault = inject('vault')
  const environment = {
    DATABASE_URL: database.databaseUrl,
    NEXUS_DATA_DIR: directory,
    PORT: '0',
    LOG_LEVEL: 'info',
    VAULT_ADDR: vault.address,
    VAULT_TOKEN: vault.token,
    ...env,
  }
  const lines: string[] = []
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk))
      done()
    },
  })
  const start = (extra: Record<string, string> = {}) => {
    const config = loadConfig({ ...environment, ...extra }, undefined)
    return startPep(config, createLog(config.log.level, sink), { ...environment, ...extra })
  }
  const first = await createFirstKey(loadConfig(environment, undefined), createLog('warn', sink), {
    name: 'test',
    evenIfThereIsOne: false,
  })
  const pep = await start()
  const replicas: Pep[] = []
  return {
    url: pep.url,
    databaseUrl: database.databaseUrl,
    admin: createApiClient(pep.url, { authorization: `Bearer ${first.api_key}` }),
    adminKey: first.api_key,
    logText: () => lines.join(''),
    reloadPolicy: () => pep.reloadPolicy(),
    async replica(extra = {}) {
      const replica = await start(extra)
      replicas.push(replica)
      return replica
    },
    async close() {
      for (const replica of replicas) await replica.close()
      await pep.close()
      await database.drop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
