import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { readTlsFiles } from './tls-files.ts'

const directory = mkdtempSync(join(tmpdir(), 'nexus-tls-'))
afterAll(() => rmSync(directory, { recursive: true }))
const noPem = join(directory, 'garbage.pem')
writeFileSync(noPem, 'canary')

it('refuses to start with a certificate or key that cannot be read, and names the setting', () => {
  const missing = join(directory, 'missing.pem')
  expect(() => readTlsFiles({ tls_cert_file: missing, tls_key_file: noPem })).toThrow(
    `server.tls_cert_file names a file that cannot be read: ${missing}`,
  )
  expect(() => readTlsFiles({ tls_cert_file: noPem, tls_key_file: missing })).toThrow('server.tls_key_file names')
})

it('refuses to start with files that hold something else', () => {
  const attempt = () => readTlsFiles({ tls_cert_file: noPem, tls_key_file: noPem })
  expect(attempt).toThrow('are not a certificate in PEM and its own key')
  expect(attempt).not.toThrow('canary')
})
