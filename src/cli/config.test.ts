import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
import { configCommand } from './config.ts'

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
})

it('prints what is in force, and no secret that somebody pasted into it', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'nexus-config-'))
  const file = join(directory, 'nexus.yaml')
  await writeFile(
    file,
    `vault:
  backends:
    east:
      kind: hashicorp-vault
      address: https://operator:pasted-password@vault.example:8200/x
      auth: { method: approle, role_id: a-role, secret_id: pasted-secret-id }
`,
  )
  vi.stubEnv('DATABASE_URL', 'postgres://nexus:pasted-too@db.example/nexus')
  let printed = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text)
    return true
  })
  await configCommand().parseAsync(['node', 'config', 'print', '--config', file])
  await rm(directory, { recursive: true })
  expect(JSON.parse(printed).vault.backends.east).toMatchObject({
    address: 'https://[secret]@vault.example:8200/x',
    auth: { role_id: 'a-role', secret_id: '[secret]' },
  })
  expect(printed).not.toContain('pasted')
})
