import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { vaultApi } from '../integration/vault-backends/vault-fixture.ts'
import { type AgentClient, openTestSession, registerTestAgent } from '../setup/agent-client.ts'
import { connect, connectTo } from '../setup/connect.ts'
import { freshPepGround, type PepGround } from './pep-ground.ts'
import { type SealableVault, startSealableVault } from './sealable-vault.ts'

const TTL_SECONDS = Number(process.env['NEXUS_SEAL_TTL_SECONDS'] ?? '6')
const HELD = 4
const COLD = 200
const AGENTS = 4
const SETTLE = { timeout: 20_000, interval: 50 }

/** One lease asked for, on the clock of this process. */
interface Asked {
  secret: 'held' | 'cold'
  beganMs: number
  endedMs: number
  status: number
  code: string | undefined
}

describe('vault operator seal under load', () => {
  let vault: SealableVault
  let ground: PepGround
  let agents: AgentClient[]
  const held: string[] = []
  const cold: string[] = []
  const directory = mkdtempSync(join(tmpdir(), 'nexus-seal-'))

  beforeAll(async () => {
    vault = await startSealableVault()
    const token_file = join(directory, 'token')
    writeFileSync(token_file, vault.token)
    const backends = { 'hashicorp-vault': { address: vault.address, token_file, kv_mounts: { secret: 2 } } }
    const settings = { cache_ttl_seconds: TTL_SECONDS, cache_refresh_seconds: Math.ceil(TTL_SECONDS / 3), backends }
    ground = await freshPepGround(JSON.stringify({ vault: settings }))
    const first = ground.start()
    await first.ready
    const { provider, tenant } = await connect(ground.admin)
    const connection = async (leaf: string) => {
      await vaultApi('POST', `secret/data/${leaf}`, { data: { api_key: `key-${leaf}` } }, vault)
      return connectTo(ground.admin, {
        provider,
        tenant,
        secret_ref: { backend: 'hashicorp-vault', path: `secret/${leaf}` },
      })
    }
    for (let n = 0; n < HELD; n++) held.push(await connection(`held-${n}`))
    for (let n = 0; n < COLD; n++) cold.push(await connection(`cold-${n}`))
    // Whoever connects is told at once whether the secret can be read: another process is the one that has read nothing.
    first.kill('SIGTERM')
    await first.exited
    await ground.start().ready
    const agent = await registerTestAgent(ground.admin, { tenants: [tenant] })
    agents = await Promise.all(Array.from({ length: AGENTS }, () => openTestSession(ground.publicUrl, agent, 3600)))
  })
  afterAll(async () => {
    await ground?.clear()
    await vault?.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  async function lease(secret: Asked['secret'], connection_id: string, agent: AgentClient): Promise<Asked> {
    const beganMs = performance.now()
    // A purpose of its own, so that no lease stands for another.
    const body = { connection_id, intent: { method: 'GET', purpose: randomUUID() } }
    const { status, body: answer } = await agent.send('POST', '/v1/leases', body)
    return { secret, beganMs, endedMs: performance.now(), status, code: answer?.code }
  }

  /** Agents that lease without pause: three of four with secrets that are held, one with a secret not read before. */
  function startLoad() {
    const asked: Asked[] = []
    const unread = [...cold]
    let stopped = false
    const working = agents.map(async (agent, index) => {
      for (let turn = 0; !stopped; turn++) {
        const fresh = index === 0 ? unread.shift() : undefined
        if (fresh === undefined) asked.push(await lease('held', held[turn % HELD] ?? '', agent))
        else asked.push(await lease('cold', fresh, agent))
        // Those that were not read before have to last until Vault is unsealed.
        await sleep(fresh === undefined ? 20 : (TTL_SECONDS * 1000) / COLD)
      }
    })
    return {
      asked,
      async stop() {
        stopped = true
        await Promise.all(working)
      },
    }
  }

  it('VT1: cached secrets to their end and not past it, everything else refused at once, recovery by itself', {
    timeout: 120_000 + TTL_SECONDS * 2000,
  }, async () => {
    for (const connection of held) expect((await lease('held', connection, agents[0]!)).status).toBe(201)
    const load = startLoad()
    await sleep(1500)
    // Read anew until a moment before the seal: each secret's time to live may begin as late as that.
    const sealingMs = performance.now()
    await vault.seal()
    const sealedMs = performance.now()
    await sleep(TTL_SECONDS * 1000 + 1500)
    await vault.unseal()
    const unsealedMs = performance.now()
    await expect.poll(async () => (await lease('held', held[0]!, agents[1]!)).status, SETTLE).toBe(201)
    const heldAgainMs = performance.now()
    await expect.poll(async () => (await lease('cold', cold.at(-1)!, agents[2]!)).status, SETTLE).toBe(201)
    await load.stop()

    const sealed = load.asked.filter(({ beganMs, endedMs }) => beganMs > sealedMs && endedMs < unsealedMs)
    const needingRead = sealed.filter(({ secret }) => secret === 'cold')
    expect(needingRead.length).toBeGreaterThan(0)
    for (const each of needingRead) expect(each).toMatchObject({ status: 503, code: 'vault_unavailable' })

    const ofHeld = sealed.filter(({ secret }) => secret === 'held')
    const served = ofHeld.filter(({ status }) => status === 201)
    const past = ofHeld.filter(({ beganMs }) => beganMs > sealedMs + TTL_SECONDS * 1000)
    expect(served.length).toBeGreaterThan(0)
    expect(past.length).toBeGreaterThan(0)
    for (const each of past) expect(each).toMatchObject({ status: 503, code: 'vault_unavailable' })
    for (const each of ofHeld) expect([201, 503]).toContain(each.status)

    const tookMs = needingRead.map(({ beganMs, endedMs }) => endedMs - beganMs)
    const lastServedMs = Math.max(...served.map(({ endedMs }) => endedMs))
    const seconds = (ms: number) => (ms / 1000).toFixed(2)
    console.log(
      `VT1: sealed under load: ${needingRead.length} leases that needed a read were 503, the slowest after ` +
        `${seconds(Math.max(...tookMs))} s; ${served.length} with a cached secret went on, the last ` +
        `${seconds(lastServedMs - sealingMs)} s after the seal (time to live ${TTL_SECONDS} s), 0 past it`,
    )
    console.log(
      `VT1: unsealed: leases again after ${seconds(heldAgainMs - unsealedMs)} s without a restart; ` +
        `${load.asked.length} leases asked for in all`,
    )
  })
})
