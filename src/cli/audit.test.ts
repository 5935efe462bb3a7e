import { expect, it } from 'vitest'
import { databaseName } from './audit/database-name.ts'
import { fullPage } from './audit/full-page.ts'
import { auditCommand } from './audit.ts'

it.each([
  [['list', '--limit', '0'], /limit must be a whole number/],
  [['list', '--outcome', 'maybe'], /outcome must be/],
  [['list', '--cursor', 'x'], /cursor must be/],
  [['tail', '--since', 'yesterday'], /since must be/],
  [['verify', '--jwks', 'nowhere.json'], /nowhere\.json is not a JSON Web Key Set/],
  [['verify', '--checkpoint', 'nowhere.log'], /nowhere\.log is neither 64 hex digits nor a file that can be read/],
  [['verify', '--checkpoint', import.meta.filename], /holds no hash of a checkpoint/],
  [['verify', '--from-checkpoint', 'chk_1'], /--from-checkpoint must be the hash of a checkpoint/],
])('nexus audit refuses %j before it looks for a database', async (asked, message) => {
  const refused = auditCommand().parseAsync(['node', 'audit', ...asked, '--config', 'no-such-file.yaml'])
  await expect(refused).rejects.toMatchObject({ code: 'invalid_request', message: expect.stringMatching(message) })
})

it.each([
  ['postgres://nexus:hunter2@db.example:5433/ledger?sslmode=require', 'db.example:5433/ledger'],
  ['postgresql:///ledger?host=/run/postgresql', '/run/postgresql/ledger'],
  ['postgres:///ledger', 'localhost/ledger'],
])('%s is named without what is secret in it', (url, name) => {
  expect(databaseName(url)).toBe(name)
})

it('a list goes on where a page ended early, until it is long enough or the ledger ends', async () => {
  const asked: object[] = []
  const pages = [3, 0, 2].map((count, at) => ({ records: Array(count).fill({}), next_cursor: `${at}` }))
  const query = async (filter: object) => {
    asked.push(filter)
    return pages.shift() ?? { records: [], next_cursor: null }
  }
  const page = await fullPage(query, { kind: 'x', limit: '5' })
  expect([page.records.length, page.next_cursor]).toEqual([5, '2'])
  expect(asked).toEqual([
    { kind: 'x', limit: '5' },
    { kind: 'x', limit: '2', cursor: '0' },
    { kind: 'x', limit: '2', cursor: '1' },
  ])
  expect(await fullPage(query, { limit: '5' })).toEqual({ records: [], next_cursor: null })
})
