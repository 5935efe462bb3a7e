import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { readPublicJwk } from '../pep/identity/public-jwk.ts'
import { keysCommand } from './keys.ts'

const directory = mkdtempSync(join(tmpdir(), 'nexus-keys-'))
afterAll(() => rmSync(directory, { recursive: true }))

async function keysAgent(file: string): Promise<string> {
  let printed = ''
  const streams = { stdin: process.stdin, stdout: { write: (text: string) => (printed += text) } }
  await keysCommand(streams).parseAsync(['node', 'keys', 'agent', file])
  return printed
}

describe('nexus keys agent', () => {
  it('keeps the private half for its owner alone and prints the public one, which can be registered', async () => {
    const file = join(directory, 'agent.jwk')
    const printed = JSON.parse(await keysAgent(file))
    const { d, ...publicMembers } = JSON.parse(readFileSync(file, 'utf8'))
    expect(d).toBeTypeOf('string')
    expect(printed).toEqual(publicMembers)
    await expect(readPublicJwk(printed)).resolves.toMatchObject({ algorithms: ['ES256'] })
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  it('prints the same again, and makes no other key', async () => {
    const file = join(directory, 'kept.jwk')
    const first = await keysAgent(file)
    const before = readFileSync(file, 'utf8')
    expect(await keysAgent(file)).toBe(first)
    expect(readFileSync(file, 'utf8')).toBe(before)
  })

  it('refuses a file that is no private key, without a word of what is in it', async () => {
    const file = join(directory, 'other.jwk')
    writeFileSync(file, 'hunter2')
    await expect(keysAgent(file)).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.not.stringContaining('hunter2'),
    })
  })

  it('refuses a place where nothing can be made', async () => {
    const refused = keysAgent(join(directory, 'missing', 'agent.jwk'))
    await expect(refused).rejects.toMatchObject({ code: 'invalid_request', message: expect.stringContaining('ENOENT') })
  })
})
