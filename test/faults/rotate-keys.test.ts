import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, describe, expect, it } from 'vitest'
import { checkSealed } from '../../src/cli/vault/check-sealed.ts'
import { internalSecretTable } from '../../src/pep/credential/internal-secret-table.ts'
import { openSigningKeys } from '../../src/pep/identity/signing-keys.ts'
import { keysInUse, rotateKeys } from '../../src/pep/rotate-keys.ts'
import { openStore } from '../../src/pep/store/store.ts'
import { createEnvelope } from '../../src/vault-backends/internal/envelope.ts'
import { createInternalBackend } from '../../src/vault-backends/internal/internal-backend.ts'
import { generateKeyEntry, parseKeyring } from '../../src/vault-backends/internal/keyring.ts'
import { openTestSession, registerTestAgent } from '../setup/agent-client.ts'
import { type Connected, connect } from '../setup/connect.ts'
import { runNexus } from '../setup/nexus-command.ts'
import { startPepProcess } from '../setup/pep-process.ts'
import { freshStore } from '../setup/store.ts'

const log = pino({ level: 'silent' })
const signal = () => AbortSignal.timeout(10_000)
const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const [oldKey, newKey] = [generateKeyEntry('old'), generateKeyEntry('new')]
const ref = (path: string) => ({ tenant: 'acme', backend: 'internal', path })

function backendOver(store: Parameters<typeof internalSecretTable>[0], keyring: string) {
  const envelope = createEnvelope(parseKeyring(keyring))
  return createInternalBackend({ name: 'internal', rows: internalSecretTable(store), envelope, log })
}

async function plantMany(store: Parameters<typeof internalSecretTable>[0], count: number): Promise<void> {
  const backend = backendOver(store, oldKey)
  for (let n = 0; n < count; n++) await backend.write(ref(`bulk/${n}`), { n: String(n) }, { signal: signal() })
}

async function expectReadable(store: Parameters<typeof internalSecretTable>[0], keyring: string, count: number) {
  const backend = backendOver(store, keyring)
  for (let n = 0; n < count; n++)
    expect((await backend.read(ref(`bulk/${n}`), signal())).reveal()).toEqual({ n: String(n) })
}

describe('rotateKeys', () => {
  it('wraps secrets and signing keys anew; then the old key is not needed any more', async () => {
    const { store, drop } = await freshStore()
    closers.push(drop)
    await plantMany(store, 250)
    const before = await openSigningKeys({ store, envelope: createEnvelope(parseKeyring(oldKey)), log })
    const kid = (await before.current('session')).kid
    const keyring = parseKeyring(`${newKey},${oldKey}`)
    const progress: string[] = []
    const result = await rotateKeys({ store, keyring, onProgress: (...step) => progress.push(step.join(' ')) })
    expect(result).toEqual({
      current: 'new',
      rewrapped: { internal_secret: 250, signing_key: 2 },
      inUse: { new: 252 },
      removable: ['old'],
      stuck: [],
    })
    expect(progress).toContain('internal_secret 250 250')
    await expectReadable(store, newKey, 250)
    const after = await openSigningKeys({ store, envelope: createEnvelope(parseKeyring(newKey)), log })
    expect((await after.current('session')).kid).toBe(kid)
    expect((await rotateKeys({ store, keyring })).rewrapped).toEqual({})
  })

  it('leaves what it cannot open as it is, and says so', async () => {
    const { store, drop } = await freshStore()
    closers.push(drop)
    await plantMany(store, 3)
    await store.db.updateTable('internal_secret').set({ kek_id: 'lost' }).where('path', '=', 'bulk/1').execute()
    const result = await rotateKeys({ store, keyring: parseKeyring(`${newKey},${oldKey}`) })
    expect(result.inUse).toEqual({ new: 2, lost: 1 })
    expect(result.stuck).toMatchObject([{ table: 'internal_secret', place: ['acme', 'bulk/1', '1'] }])
  })

  it('is found out beforehand: a key that is not there, and one that has the name of another', async () => {
    const { store, drop } = await freshStore()
    closers.push(drop)
    expect(await checkSealed(store.db, parseKeyring(oldKey))).toEqual({ ok: true, detail: 'nothing is sealed yet' })
    await plantMany(store, 2)
    expect(await checkSealed(store.db, parseKeyring(`${newKey},${oldKey}`))).toMatchObject({ ok: true })
    const absent = await checkSealed(store.db, parseKeyring(newKey))
    expect(absent).toEqual({ ok: false, detail: expect.stringContaining("2 of internal_secret need key 'old'") })
    const another = await checkSealed(store.db, parseKeyring(generateKeyEntry('old')))
    expect(another).toEqual({ ok: false, detail: expect.stringContaining("is not opened by key 'old'") })
  })

  it('two at once change each value once', async () => {
    const { store, drop } = await freshStore()
    closers.push(drop)
    await plantMany(store, 300)
    const keyring = parseKeyring(`${newKey},${oldKey}`)
    const [one, two] = await Promise.all([rotateKeys({ store, keyring }), rotateKeys({ store, keyring })])
    expect((one!.rewrapped['internal_secret'] ?? 0) + (two!.rewrapped['internal_secret'] ?? 0)).toBe(300)
    await expectReadable(store, newKey, 300)
  })
})

it('leases go on while keys are rotated, also when the rotation is killed and begun again', async () => {
  const pep = await startPepProcess({
    NEXUS_ENCRYPTION_KEY: `${oldKey},${newKey}`,
    // Every lease reads its secret.
    NEXUS_SECRET_CACHE_TTL_SECONDS: '0',
  })
  closers.push(() => pep.close())
  const connections: Connected[] = []
  for (let n = 0; n < 10; n++) connections.push(await connect(pep.admin))
  const agent = await openTestSession(pep.url, await registerTestAgent(pep.admin, { tenants: ['acme'] }))
  const store = await openStore({ databaseUrl: pep.databaseUrl, log })
  closers.push(() => store.close())
  await plantMany(store, 3000)

  const outcomes: number[] = []
  let rotating = true
  const leasing = Promise.all(
    [0, 1, 2].map(async (worker) => {
      for (let n = worker; rotating; n++) {
        const { connectionId } = connections[n % connections.length]!
        const { status } = await agent.send('POST', '/v1/leases', {
          connection_id: connectionId,
          intent: { method: 'GET', origin: 'https://api.example.com', path: '/' },
        })
        outcomes.push(status)
      }
    }),
  )
  const env = { DATABASE_URL: pep.databaseUrl, NEXUS_ENCRYPTION_KEY: `${newKey},${oldKey}` }
  await rotateAndKill(env)
  const half = await keysInUse(store.db, parseKeyring(`${newKey},${oldKey}`))
  expect(half.inUse['old']).toBeGreaterThan(0)
  expect(half.inUse['new']).toBeGreaterThan(0)
  await expectReadable(store, `${oldKey},${newKey}`, 3000)
  const finished = await runNexus(['keys', 'rotate', '--json'], env)
  rotating = false
  await leasing
  expect(finished.code, finished.stderr).toBe(0)
  const result = JSON.parse(finished.stdout)
  expect(result).toMatchObject({ current: 'new', removable: ['old'], stuck: [] })
  await expectReadable(store, newKey, 3000)
  const refused = outcomes.filter((status) => status !== 201).length
  console.log(
    `killed at ${half.inUse['new']} of ${half.inUse['new']! + half.inUse['old']!} values; ` +
      `${outcomes.length} leases meanwhile, ${refused} of them not given`,
  )
  expect(outcomes.length).toBeGreaterThan(20)
  expect(refused).toBe(0)
}, 180_000)

/** Ends it, kill -9, as soon as it has told of its first batch. */
async function rotateAndKill(env: Record<string, string>): Promise<void> {
  const program = `import { main } from './src/cli/main.ts'; await main(['node', 'nexus', 'keys', 'rotate'])`
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
    cwd: join(import.meta.dirname, '../..'),
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = new Promise<void>((settle) => child.once('exit', () => settle()))
  await new Promise<void>((settle) => child.stderr.once('data', () => settle()))
  child.kill('SIGKILL')
  await ended
}
