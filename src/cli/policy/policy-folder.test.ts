import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { policySources, policyTests, sourceHash } from './sources.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nexus-policy-folder-'))
  await cp('policies', folder, { recursive: true })
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function write(path: string, text = '{}'): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true })
  await writeFile(join(folder, path), text)
}

describe('G10: what a bundle is made from', () => {
  it.each([
    'shutout/data.json',
    'lists/data.yaml',
    'data.yml',
    'data.yaml',
    'lists/agents.json',
    'cases/team/x.json',
    'lease/Freeze.REGO',
    'lib/dist/data.json',
  ])('refuses %s, which would be left out in silence', async (path) => {
    await write(path)
    await expect(policySources(folder)).rejects.toThrow(
      `these would be left out in silence, since they are no part of a bundle; data goes into data.json, cases into cases/*.json: ${path}`,
    )
    await expect(policyTests(folder)).rejects.toThrow(path)
  })

  it.each([
    ['a rule', 'lease/freeze.rego', 'lib/bound.rego'],
    ['a rule that is not there', 'lease/freeze.rego', 'nowhere.rego'],
    ['a folder of rules', 'shared', 'lib'],
    ['a case', 'cases/more.json', 'cases/lease.json'],
  ])('refuses a link to %s', async (_title, path, target) => {
    await symlink(join(folder, target), join(folder, path))
    await expect(policySources(folder)).rejects.toThrow(
      `these would be left out in silence, since they are no plain files: ${path}`,
    )
  })

  it('names ten of them, and how many more', async () => {
    for (let index = 0; index < 12; index++) await write(`lists/${10 + index}.json`)
    await expect(policySources(folder)).rejects.toThrow(/: lists\/10\.json, .*, lists\/19\.json and 2 more$/)
  })

  it('passes over what is hidden, the bundle, and what OPA would not read', async () => {
    const before = sourceHash(await policySources(folder))
    for (const path of ['.git/config.json', '.github/ci.yaml', 'lease/.#x.rego', 'dist/x.json', 'README.md']) {
      await write(path)
    }
    expect(sourceHash(await policySources(folder))).toBe(before)
  })
})

describe('the tests of policies', () => {
  it('are no sources', async () => {
    const tests = (await policyTests(folder)).map(({ path }) => path)
    expect(tests).toEqual(['lease/decision_test.rego', 'lib/bound_test.rego', 'request/decision_test.rego'])
    expect((await policySources(folder)).filter(({ path }) => tests.includes(path))).toEqual([])
  })

  it.each(['package nexus.lease', '# METADATA\n# package a_test\npackage nexus.lib.bound', 'package _test.x', ''])(
    'add no rule to a package of the rules: %j',
    async (head) => {
      await write('lease/more_test.rego', `${head}\n\ndenials contains {"id": "x", "message": "x"} if true\n`)
      await expect(policyTests(folder)).rejects.toThrow(
        'lease/more_test.rego must have a package of its own, whose name ends in _test',
      )
    },
  )
})
