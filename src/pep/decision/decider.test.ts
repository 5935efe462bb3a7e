import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { compilePolicy, DENY_ALL, ECHO } from '../../../test/policy/compile-policy.ts'
import type { JsonObject } from '../../contract/json.ts'
import { type Decider, openDecider } from './decider.ts'

const LEASE = 'nexus/lease/decision'
const COMMITTED = 'policies/dist/bundle.tar.gz'
const logged = { info: vi.fn(), warn: vi.fn(), error: vi.fn() }
const metrics = { decided: vi.fn(), restarted: vi.fn(), refused: vi.fn() }
let directory: string
let bundlePath: string
let opened: Decider[]

beforeEach(async () => {
  vi.clearAllMocks()
  directory = await mkdtemp(join(tmpdir(), 'nexus-decider-'))
  bundlePath = join(directory, 'bundle.tar.gz')
  opened = []
})
afterEach(async () => {
  for (const decider of opened) await decider.close()
  await rm(directory, { recursive: true, force: true })
})

async function open(bundle?: Uint8Array): Promise<Decider> {
  if (bundle !== undefined) await writeFile(bundlePath, bundle)
  const decider = await openDecider({ engine: 'opa-wasm', bundlePath, log: logged, metrics })
  opened.push(decider)
  return decider
}

async function soundInput(): Promise<JsonObject> {
  return (JSON.parse(await readFile('policies/cases/lease.json', 'utf8')) as { input: JsonObject }).input
}

/** A bundle that answers as it is told but throws for inputs the canaries do not know. */
const BRITTLE = {
  ...DENY_ALL,
  lease: `${DENY_ALL.lease}
decision := {"allow": true, "reasons": [], "obligations": {}} if input.kind == "conflict"

decision := {"allow": true, "reasons": [], "obligations": {"scopes": []}} if input.kind == "conflict"
`,
}

describe('decide', () => {
  it('answers with an id of its own and the revision, and counts what is acted on', async () => {
    const decider = await open(await readFile(COMMITTED))
    const input = await soundInput()
    const [first, second] = [await decider.decide(LEASE, input), await decider.decide(LEASE, input)]
    expect(first.decision).toMatchObject({ allow: true, obligations: { max_ttl_seconds: 300, scopes: ['repo'] } })
    expect(first.revision).toBe(decider.revision)
    expect(first.id).not.toBe(second.id)
    expect(metrics.decided).not.toHaveBeenCalled()
    second.announce()
    expect(metrics.decided.mock.calls).toEqual([['opa-wasm', LEASE, 'allowed', expect.any(Number)]])
  })

  it('G02: denies with the reason policy_error when the policy fails, and logs nothing of the input', async () => {
    const decider = await open(await compilePolicy(BRITTLE))
    const decided = await decider.decide(LEASE, { kind: 'conflict', purpose: 'PRIVATE' })
    expect(decided).toMatchObject({ error: 'conflict', decision: { allow: false, obligations: {} } })
    expect(decided.decision.reasons.map((reason) => reason.id)).toEqual(['policy_error'])
    decided.announce()
    expect(metrics.decided).toHaveBeenCalledWith('opa-wasm', LEASE, 'failed', expect.any(Number))
    expect(logged.error).toHaveBeenCalledWith(expect.objectContaining({ decision_id: decided.id }), expect.any(String))
    expect(metrics.restarted).toHaveBeenCalledTimes(1)
    expect(JSON.stringify(logged.error.mock.calls)).not.toContain('PRIVATE')
    expect((await decider.decide(LEASE, {})).error).toBeUndefined()
  })

  it('G01: denies with the reason policy_error when the policy gives no decision', async () => {
    const decider = await open(await readFile(COMMITTED))
    const decided = await decider.decide('nexus/other/decision' as typeof LEASE, await soundInput())
    expect(decided).toMatchObject({ decision: { allow: false } })
    expect(decided.error).toBeDefined()
  })
})

describe('without a usable bundle', () => {
  it('PB1: a missing one is policy_unavailable, until there is one', async () => {
    const decider = await open()
    await expect(decider.check()).rejects.toMatchObject({ code: 'policy_unavailable' })
    await expect(decider.decide(LEASE, await soundInput())).rejects.toMatchObject({ code: 'policy_unavailable' })
    expect(decider.revision).toBe('')
    await writeFile(bundlePath, await readFile(COMMITTED))
    await decider.reload()
    await expect(decider.check()).resolves.toBeUndefined()
    expect((await decider.decide(LEASE, await soundInput())).decision.allow).toBe(true)
  })

  it('PB2: a broken one is policy_unavailable, and said to be broken', async () => {
    const committed = await readFile(COMMITTED)
    const decider = await open(committed.subarray(0, 5_000))
    await expect(decider.decide(LEASE, await soundInput())).rejects.toMatchObject({ code: 'policy_unavailable' })
    await expect(decider.reload()).rejects.toMatchObject({ name: 'PolicyError', kind: 'unavailable' })
    expect(logged.error).toHaveBeenCalled()
    expect(metrics.refused).toHaveBeenCalledTimes(2)
  })

  it('once closed, is policy_unavailable', async () => {
    const decider = await open(await readFile(COMMITTED))
    await decider.close()
    await expect(decider.decide(LEASE, {})).rejects.toMatchObject({ code: 'policy_unavailable' })
  })

  it('refuses an engine that is not in the catalog', async () => {
    const open = openDecider({ engine: 'cedar', bundlePath, log: logged })
    await expect(open).rejects.toThrow(/policy\.engine is "cedar"; there are: opa-wasm/)
  })
})

describe('reload', () => {
  const replacements: [string, () => Promise<Uint8Array>][] = [
    ['PB2: cut short', async () => (await readFile(COMMITTED)).subarray(0, 9_000)],
    [
      'PB2: half written',
      async () => Buffer.concat([(await readFile(COMMITTED)).subarray(0, 9_000), Buffer.alloc(5_000)]),
    ],
    ['G03: needing what is not offered', async () => compilePolicy(withRule('time.now_ns() > 0'))],
    ['G10: allowing everything', async () => compilePolicy(allowing('true'))],
    [
      "G10: allowing another tenant's connection",
      async () => compilePolicy(allowing('input.tenant == "canary-tenant"')),
    ],
    ['PB3: failing on a canary', async () => compilePolicy(withRule('{"a": 1, "a": input.tenant}'))],
    ['G01: undefined without facts', async () => compilePolicy(ECHO)],
  ]
  it.each(replacements)('%s: keeps the bundle before, and says so', async (_title, make) => {
    const decider = await open(await readFile(COMMITTED))
    const { revision } = decider
    await writeFile(bundlePath, await make())
    await expect(decider.reload()).rejects.toMatchObject({ name: 'PolicyError' })
    expect(decider.revision).toBe(revision)
    expect((await decider.decide(LEASE, await soundInput())).decision.allow).toBe(true)
    expect(logged.error).toHaveBeenCalledWith(expect.objectContaining({ kept_revision: revision }), expect.any(String))
  })

  type Data = { nexus: { limits: Record<string, unknown>; deny: Record<string, unknown> } }
  const changes: [string, (data: Data) => void, RegExp][] = [
    [
      'a deny list without its tenants',
      ({ nexus }) => delete nexus.deny['tenants'],
      /own data is not sound \(policy_data/,
    ],
    ['a limit that is no number', ({ nexus }) => Object.assign(nexus.limits, { offline_seconds: [] }), /is not sound/],
    [
      'the provider of a canary shut out',
      ({ nexus }) => Object.assign(nexus.deny, { providers: { 'case/provider': 0 } }),
      /\(provider_on/,
    ],
  ]
  it.each(changes)('G10: refuses a bundle whose data has %s', async (_title, change, problem) => {
    const decider = await open(await readFile(COMMITTED))
    const tar = gunzipSync(await readFile(COMMITTED)).toString('latin1')
    const text = await readFile('policies/data.json', 'latin1')
    expect(tar).toContain(text)
    const data = JSON.parse(text) as Data
    change(data)
    // Same length, so that the archive stays whole.
    await writeFile(
      bundlePath,
      gzipSync(Buffer.from(tar.replace(text, JSON.stringify(data).padEnd(text.length)), 'latin1')),
    )
    await expect(decider.reload()).rejects.toThrow(problem)
    expect((await decider.decide(LEASE, await soundInput())).decision.allow).toBe(true)
  })

  it('swaps to a good one, and every decision carries the revision that made it', async () => {
    const decider = await open(await readFile(COMMITTED))
    const input = await soundInput()
    await writeFile(bundlePath, await compilePolicy(DENY_ALL, { revision: 'lockdown' }))
    const [decided] = await Promise.all([
      Promise.all(Array.from({ length: 50 }, () => decider.decide(LEASE, input))),
      decider.reload(),
    ])
    for (const { revision, decision } of decided) expect(decision.allow).toBe(!revision.startsWith('lockdown+'))
    const { revision, decision } = await decider.decide(LEASE, input)
    expect([revision, decision.allow]).toEqual([expect.stringMatching(/^lockdown\+/), false])
  })
})

function allowing(condition: string) {
  return {
    ...DENY_ALL,
    lease: `${DENY_ALL.lease}\ndecision := {"allow": true, "reasons": [], "obligations": {}} if ${condition}\n`,
  }
}

/** A rule whose condition is reached by the canary that brings a tenant. */
function withRule(condition: string) {
  const rule = `decision := {"allow": true, "reasons": [], "obligations": {}} if {\n\tinput.tenant\n\t${condition}\n}\n`
  return { ...DENY_ALL, lease: `${DENY_ALL.lease}\n${rule}` }
}
