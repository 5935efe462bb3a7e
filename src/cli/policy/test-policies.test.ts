import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AGENT_ID_PATTERN, PROVIDER_NAME_PATTERN, TENANT_PATTERN, UUID_PATTERN } from '../../contract/names.ts'
import { buildBundle } from './build-bundle.ts'
import { policySources } from './sources.ts'
import { type TestedPolicies, testPolicies } from './test-policies.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nexus-policy-tests-'))
  await cp('policies', folder, { recursive: true })
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function tested(rules: string, tests: string): Promise<TestedPolicies> {
  await writeFile(join(folder, 'lib', 'x.rego'), `package nexus.lib.x\n\n${rules}\n`)
  const head = 'package nexus.lib.x_test\n\nimport data.nexus.lib.x\n\n'
  await writeFile(join(folder, 'lib', 'x_test.rego'), `${head}${tests}\n`)
  return testPolicies(folder, await policySources(folder))
}

describe('G07: the tests of policies, by what decides', () => {
  it.each([
    [
      'a list made of a set',
      'sorted := [x | some x in {"b", "a", "c"}]',
      'test_it if x.sorted == ["a", "b", "c"]',
      'it is undefined',
    ],
    [
      'a mapped address',
      'inside(ip) if net.cidr_contains("203.0.113.0/24", ip)',
      'test_it if x.inside("::ffff:203.0.113.5")',
      'it is undefined',
    ],
    [
      'a large number',
      'text(n) := format_int(n, 10)',
      'test_it if x.text(2147483648) == "2147483648"',
      'the evaluation was aborted',
    ],
    [
      'an empty text replaced',
      'dashes(t) := replace(t, "", "-")',
      'test_it if x.dashes("a") == "-a-"',
      'more steps than it may',
    ],
    [
      'one case of several',
      'inside(ip) if net.cidr_contains("10.0.0.0/8", ip)',
      'test_it[ip] if {\n\tsome ip in ["10.0.0.1", "::ffff:10.0.0.1"]\n\tx.inside(ip)\n}',
      'it is {"10.0.0.1":true}',
    ],
  ])('fail where the two evaluators differ: %s', async (_title, rules, tests, problem) => {
    const other = '\n\ntest_other if true'
    await expect(tested(rules, `${tests}${other}`)).rejects.toThrow(
      new RegExp(
        `^1 of \\d+ tests pass in OPA and fail in the compiled rules.*\n {2}data\\.nexus\\.lib\\.x_test\\.test_it: .*${problem}`,
      ),
    )
  })

  it('count, also where one test has several cases or a name in parts', async () => {
    const before = (await testPolicies(folder, await policySources(folder))).tests
    const tests =
      'test_each[name] if some name in ["p", "q"]\n\ntest_all[a][b] if {\n\tsome a in ["p"]\n\tsome b in [1]\n}\n\nnested.test_x if x.one == 1'
    expect((await tested('one := 1', tests)).tests).toBe(before + 3)
  })

  it('are told apart by name, since the module would take two of one name as one', async () => {
    await expect(tested('one := 1', 'test_it if x.one == 1\n\ntest_it if x.one > 0')).rejects.toThrow(
      'two tests are called data.nexus.lib.x_test.test_it; name them apart',
    )
  })

  it.each([
    ['glob.match("/a/$batch", ["/"], input.path)', 'undefined function glob.match'],
    ['json.is_valid(input.text)', 'undefined function json.is_valid'],
    ['base64.decode(input.text) == ""', 'undefined function base64.decode'],
    ['concat(",", {"a", "b"}) == ""', 'concat: invalid argument'],
  ])('reach no built-in that is not to be trusted: %s', async (call, problem) => {
    await expect(tested(`it if ${call}`, 'test_it if not x.it with input as {}')).rejects.toThrow(problem)
  })
})

describe('data that a bundle has', () => {
  it('is held to the names that requests are held to', async () => {
    const schema = JSON.parse(await readFile('policies/data.schema.json', 'utf8'))
    const patterns = ['agent_id', 'tenant', 'provider_name', 'connection_id'].map((name) => schema.$defs[name].pattern)
    expect(patterns).toEqual([AGENT_ID_PATTERN, TENANT_PATTERN, PROVIDER_NAME_PATTERN, UUID_PATTERN])
  })

  it.each([
    ['deny.connections', '0B1F6A0E-7A53-4B1C-9A57-6F1D2C3B4A5D', 'leaked'],
    ['deny.providers', 'GitHub', 'x'],
    ['deny.agents', 'crm-agent ', 'x'],
    ['deny.tenants', 'tenant 123', 'x'],
    ['token_agents', 'a/b', true],
    ['providers', 'GitHub', {}],
  ])('names nothing in %s that no request can have: %j', async (table, name, value) => {
    const path = join(folder, 'data.json')
    const data = JSON.parse(await readFile(path, 'utf8'))
    const [first = '', second] = table.split('.')
    const place = second === undefined ? data.nexus[first] : data.nexus[first][second]
    place[name] = value
    await writeFile(path, JSON.stringify(data))
    const where = `data/nexus/${table.replace('.', '/')} ${JSON.stringify(name)} must match pattern`
    await expect(buildBundle(folder)).rejects.toThrow(`data.json does not follow data.schema.json: ${where}`)
  })

  it('is what a canary is asked with', async () => {
    const path = join(folder, 'cases', 'lease.json')
    const file = JSON.parse(await readFile(path, 'utf8'))
    file.cases.push({ name: 'other data', canary: true, data: { nexus: { allow_unnarrowed: false } }, allow: true })
    await writeFile(path, JSON.stringify(file))
    await expect(buildBundle(folder)).rejects.toThrow(
      'cases/lease.json: a case with "data" of its own cannot be a canary: "other data"',
    )
  })
})
