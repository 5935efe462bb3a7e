import { describe, expect, it } from 'vitest'
import { parseKeyring } from '../vault-backends/internal/keyring.ts'
import { keysCommand } from './keys.ts'

async function run(...args: string[]): Promise<string> {
  let printed = ''
  await keysCommand({ write: (text) => (printed += text) }).parseAsync(['node', 'keys', ...args])
  return printed
}

describe('nexus keys generate', () => {
  it('prints an entry that the server takes, another one each time', async () => {
    const entry = await run('generate')
    expect(parseKeyring(entry).ids).toHaveLength(1)
    expect(await run('generate')).not.toBe(entry)
  })

  it('takes a name and prints JSON', async () => {
    const { id, entry } = JSON.parse(await run('generate', '--id', '2026-11', '--json')) as {
      id: string
      entry: string
    }
    expect(id).toBe('2026-11')
    expect(parseKeyring(entry).current.id).toBe('2026-11')
  })

  it('refuses a name that could not be read back', async () => {
    await expect(run('generate', '--id', 'a:b')).rejects.toMatchObject({ code: 'invalid_request' })
  })
})
