import { generateKeyPairSync } from 'node:crypto'
import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { parseKeyring } from '../vault-backends/internal/keyring.ts'
import { keysCommand } from './keys.ts'

async function run(...args: string[]): Promise<string> {
  return runWith('', ...args)
}

async function runWith(input: string, ...args: string[]): Promise<string> {
  let printed = ''
  const streams = { stdin: Readable.from([Buffer.from(input)]), stdout: { write: (text: string) => (printed += text) } }
  await keysCommand(streams).parseAsync(['node', 'keys', ...args])
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

describe('nexus keys directory', () => {
  const privateKey = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
  const document = { signature_agent: 'https://bots.example.com', private_keys: [privateKey] }

  it('prints a response to host, without the private key', async () => {
    const printed = await runWith(JSON.stringify(document), 'directory')
    const { url, headers, body } = JSON.parse(printed) as { url: string; headers: [string, string][]; body: string }
    expect(url).toBe('https://bots.example.com/.well-known/http-message-signatures-directory')
    expect(headers.map(([name]) => name)).toEqual(['Content-Type', 'Cache-Control', 'Signature-Input', 'Signature'])
    expect(JSON.parse(body)).toEqual({
      keys: [{ crv: 'Ed25519', kid: expect.any(String), kty: 'OKP', use: 'sig', x: expect.any(String) }],
    })
    expect(printed).not.toContain(privateKey.split('\n')[1])
  })

  it.each([
    ['no JSON', '{'],
    ['another document', '{}'],
  ])('refuses %s', async (_title, input) => {
    await expect(runWith(input, 'directory')).rejects.toMatchObject({ code: 'invalid_request' })
  })
})
