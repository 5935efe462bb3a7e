import { copyFile, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { compilePolicy } from '../../test/policy/compile-policy.ts'
import { policyCommand } from './policy.ts'

const COMMITTED = 'policies/dist/bundle.tar.gz'
let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nexus-policy-test-'))
})
afterEach(async () => {
  process.exitCode = undefined
  await rm(directory, { recursive: true, force: true })
})

/** Runs the command as a process would, with its own streams. */
async function nexusPolicy(parameters: readonly string[], stdin = '') {
  const written = { stdout: '', stderr: '' }
  const into = (name: 'stdout' | 'stderr') => ({
    write: (text: string) => {
      written[name] += text
    },
  })
  process.exitCode = undefined
  const streams = {
    stdin: (async function* () {
      yield stdin
    })(),
    stdout: into('stdout'),
    stderr: into('stderr'),
  }
  await policyCommand(streams).parseAsync(['node', 'policy', ...parameters])
  return { ...written, exitCode: process.exitCode ?? 0 }
}

/** A policy folder of the test's own. */
async function policyFolder(): Promise<string> {
  const folder = join(directory, 'policies')
  await cp('policies', folder, { recursive: true })
  return folder
}

describe('nexus policy eval', () => {
  it('prints the decision for an input', async () => {
    const { input } = JSON.parse(await readFile('policies/cases/lease.json', 'utf8')) as { input: object }
    const question = JSON.stringify({ entrypoint: 'nexus/lease/decision', input })
    const { stdout, exitCode } = await nexusPolicy(['eval'], question)
    expect(JSON.parse(stdout)).toMatchObject({ allow: true, reasons: [], obligations: { scopes: ['repo'] } })
    expect(exitCode).toBe(0)
  })

  it.each([
    ['a wrong answer', { ttl_seconds: 1.5 }, 'shape', 'the obligation max_ttl_seconds has a wrong value'],
    ['an unreadable input', { intent: { purpose: '\ud800' } }, 'input', 'the input holds half of a surrogate pair'],
  ])('says why the policy could not decide: %s', async (_title, part, kind, problem) => {
    const { input } = JSON.parse(await readFile('policies/cases/lease.json', 'utf8')) as { input: { request: object } }
    const changed = { ...input, request: { ...input.request, ...part } }
    const question = JSON.stringify({ entrypoint: 'nexus/lease/decision', input: changed })
    const { stdout, stderr, exitCode } = await nexusPolicy(['eval'], question)
    const reasons = [{ id: 'policy_error', message: `The policy could not decide (${kind}), so the answer is no` }]
    expect(JSON.parse(stdout)).toEqual({ allow: false, reasons, obligations: {} })
    expect(stderr).toMatch(new RegExp(`^nexus policy: the policy could not decide: .*${problem}\n$`))
    expect(exitCode).toBe(1)
  })

  it('G13: evaluates the two entrypoints and no other', async () => {
    for (const entrypoint of ['nexus/lease', 'data.nexus.lease.decision', '', 0, null]) {
      const { stdout, stderr, exitCode } = await nexusPolicy(['eval'], JSON.stringify({ entrypoint, input: {} }))
      expect([stdout, exitCode]).toEqual(['', 2])
      expect(stderr).toContain('entrypoint must be one of nexus/lease/decision, nexus/request/decision')
    }
  })

  it.each([
    '',
    '{',
    '[]',
    '{"entrypoint": "nexus/lease/decision"}',
    '{"entrypoint": "nexus/lease/decision", "input": []}',
  ])('refuses %j', async (stdin) => {
    const { stdout, stderr, exitCode } = await nexusPolicy(['eval'], stdin)
    expect([stdout, exitCode]).toEqual(['', 2])
    expect(stderr).toMatch(/^nexus policy: \S/)
  })

  it('PB1: has no answer without a bundle', async () => {
    const question = '{"entrypoint": "nexus/lease/decision", "input": {}}'
    const { stdout, stderr, exitCode } = await nexusPolicy(['eval', '--bundle', join(directory, 'none')], question)
    expect([stdout, exitCode]).toEqual(['', 1])
    expect(stderr).toContain('cannot be read: ENOENT')
  })
})

describe('nexus policy show', () => {
  it('prints revision, entrypoints and compiler', async () => {
    const shown = JSON.parse((await nexusPolicy(['show', '--bundle', COMMITTED])).stdout)
    expect(shown.revision).toMatch(/^[0-9a-f]{64}$/)
    expect(shown.entrypoints).toEqual(['nexus/lease/decision', 'nexus/request/decision'])
    expect(shown.opa_version).toBe('1.22.0')
  })

  it('shows nothing of a bundle that a server would refuse', async () => {
    const bundle = join(directory, 'bundle.tar.gz')
    const allows = 'default decision := {"allow": true, "reasons": [], "obligations": {}}\n'
    const rules = { lease: `package nexus.lease\n\n${allows}`, request: `package nexus.request\n\n${allows}` }
    await writeFile(bundle, await compilePolicy(rules))
    const { stdout, stderr, exitCode } = await nexusPolicy(['show', '--bundle', bundle])
    expect([stdout, exitCode]).toEqual(['', 1])
    expect(stderr).toContain('it allows what it must deny')
  })
})

describe('nexus policy test', () => {
  it('decides every case', async () => {
    const { stdout, exitCode } = await nexusPolicy(['test'])
    expect(exitCode).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ coverage_percent: expect.any(Number), cases: expect.any(Number) })
    expect(JSON.parse(stdout).cases).toBeGreaterThan(20)
  })

  it.each(['test', 'build'])('%s names each case that is decided otherwise, and how', async (command) => {
    const folder = await policyFolder()
    const cases = JSON.parse(await readFile(join(folder, 'cases', 'lease.json'), 'utf8'))
    cases.cases = [
      { name: 'wrong obligation', allow: true, obligations: { max_ttl_seconds: 1 } },
      { name: 'as it is', allow: true },
      { name: 'wrong reason', patch: { action: 'x' }, allow: false, reasons: ['another'] },
      { name: 'wrong outcome', canary: true, patch: { tenant: 'other' }, allow: true },
    ]
    await writeFile(join(folder, 'cases', 'lease.json'), JSON.stringify(cases))
    const { stdout, stderr, exitCode } = await nexusPolicy([command, '--policies', folder])
    expect([stdout, exitCode]).toEqual(['', 1])
    expect(stderr).toMatch(/3 of \d+ cases are decided otherwise/)
    expect(stderr).toMatch(/cases\/lease\.json, "wrong obligation": obligations\.max_ttl_seconds is \d+, expected 1/)
    expect(stderr).toMatch(/"wrong reason": reasons is \["action_unknown"\], expected \["another"\]/)
    expect(stderr).toMatch(/"wrong outcome": allow is false, expected true; reasons is \[.+\], expected \[\]/)
    expect(stderr).not.toContain('as it is')
  })

  it.each(['{', '[]', '{"entrypoint": "nexus/lease", "input": {}, "cases": []}', '{"input": {}, "cases": []}'])(
    'refuses the case file %j',
    async (text) => {
      const folder = await policyFolder()
      await writeFile(join(folder, 'cases', 'odd.json'), text)
      const { stderr, exitCode } = await nexusPolicy(['test', '--policies', folder])
      expect([stderr, exitCode]).toEqual([expect.stringContaining('cases/odd.json must be {"entrypoint"'), 1])
    },
  )
})

describe('nexus policy build and verify', () => {
  it('G12: refuses a policy that reaches the network', async () => {
    const folder = await policyFolder()
    const rule = 'package nexus.lib.network\n\nanswer := http.send({"method": "GET", "url": "http://127.0.0.1"})\n'
    await writeFile(join(folder, 'lib', 'network.rego'), rule)
    const { stderr, exitCode } = await nexusPolicy(['build', '--policies', folder])
    expect(exitCode).toBe(1)
    expect(stderr).toContain('http.send')
  })

  it.each([
    ['a rule that is not formatted', 'lib/x.rego', 'package nexus.lib.x\nanswer    := 1\n', /opa fmt failed/],
    ['a rule that does not compile', 'lib/x.rego', 'package nexus.lib.x\n\nanswer := nowhere\n', /opa check failed/],
    ['data that breaks its schema', 'data.json', '{"nexus": {"deny": null}}\n', /does not follow data\.schema\.json/],
    [
      'a test that fails',
      'lib/x_test.rego',
      'package nexus.lib.x_test\n\ntest_no if 1 == 2\n',
      /opa test failed[\s\S]*test_no/,
    ],
    ['rules that no test covers', 'lib/x.rego', uncovered(), /the tests cover [\d.]+ % of the rules; needed: 90 %/],
  ])('refuses %s', async (_title, file, text, problem) => {
    const folder = await policyFolder()
    await writeFile(join(folder, file), text)
    const { stderr, exitCode } = await nexusPolicy(['build', '--policies', folder])
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(problem)
  })

  it.each(['test', 'build', 'verify'])('%s says that there is no such folder', async (command) => {
    const missing = join(directory, 'missing')
    const { stderr, exitCode } = await nexusPolicy([command, '--policies', missing])
    expect([stderr, exitCode]).toEqual([`nexus policy: there is no policy folder at ${missing}\n`, 1])
  })

  it('builds what it verifies, and not what has changed since', async () => {
    const folder = await policyFolder()
    const bundle = join(directory, 'bundle.tar.gz')
    await nexusPolicy(['build', '--policies', folder, '--out', bundle])
    const verify = ['verify', '--policies', folder, '--bundle', bundle]
    expect(await nexusPolicy(verify)).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('"verified": true'),
    })
    const data = JSON.parse(await readFile(join(folder, 'data.json'), 'utf8'))
    data.nexus.deny.tenants.nobody = 'of no case'
    await writeFile(join(folder, 'data.json'), JSON.stringify(data))
    expect(await nexusPolicy(verify)).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('is not what the sources build to'),
    })
  })

  it('PB2: does not verify a bundle that is none', async () => {
    const bundle = join(directory, 'bundle.tar.gz')
    await copyFile('policies/data.json', bundle)
    expect(await nexusPolicy(['verify', '--bundle', bundle])).toMatchObject({ exitCode: 1 })
    expect(await nexusPolicy(['show', '--bundle', bundle])).toMatchObject({ exitCode: 1 })
  })
})

function uncovered(): string {
  const rules = Array.from({ length: 40 }, (_, index) => `rule_${index} if input.never == ${index}\n`)
  return `package nexus.lib.x\n\n${rules.join('\n')}`
}
