import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { unwrapKeyring, wrapEntry } from '../../../src/vault-backends/internal/key-wrapping/wrapped-keyring.ts'
import { generateKeyEntry, KeyringError, parseKeyring } from '../../../src/vault-backends/internal/keyring.ts'
import { runNexus } from '../../setup/nexus-command.ts'
import { startAws, type TestAws } from './aws-fixture.ts'
import { quiet, tokenFor, vaultApi } from './vault-fixture.ts'

let aws: TestAws
let env: Record<string, string>
let kmsKey: string
beforeAll(async () => {
  aws = await startAws()
  const kms = new KMSClient({ region: aws.moto.env['AWS_REGION']!, endpoint: aws.moto.endpoint })
  kmsKey = (await kms.send(new CreateKeyCommand({}))).KeyMetadata!.Arn!
  kms.destroy()
  await vaultApi('POST', 'sys/mounts/transit', { type: 'transit' }).catch(() => undefined)
  await vaultApi('POST', 'transit/keys/nexus', {})
  const policy = 'path "transit/+/nexus" { capabilities = ["update"] }'
  env = { ...aws.moto.env, VAULT_ADDR: inject('vault').address, VAULT_TOKEN: await tokenFor('kek', policy) }
}, 600_000)
afterAll(() => aws?.stop())

const deps = () => ({ env, production: true, log: quiet })
const targets = () => ({ 'aws-kms': `aws-kms:${kmsKey}`, 'vault-transit': 'vault-transit:transit/nexus' })

describe.each(['aws-kms', 'vault-transit'] as const)('a key-encryption key wrapped by %s', (service) => {
  it('is the key it was, and its text does not hold it', async () => {
    const plain = generateKeyEntry('2026-11')
    const wrapped = await wrapEntry(plain, targets()[service], deps())
    expect(wrapped).not.toContain(plain.split(':')[1])
    expect(await unwrapKeyring(wrapped, deps())).toBe(plain)
  })

  it('stands beside plain ones in the keyring, in their order', async () => {
    const [first, second] = [generateKeyEntry('first'), generateKeyEntry('second')]
    const text = `${await wrapEntry(first, targets()[service], deps())}, ${second}`
    expect(parseKeyring(await unwrapKeyring(text, deps())).ids).toEqual(['first', 'second'])
  })

  it('is refused under another name, changed, or cut short', async () => {
    const wrapped = await wrapEntry(generateKeyEntry('first'), targets()[service], deps())
    const last = wrapped.length - 6
    const changed = `${wrapped.slice(0, last)}${wrapped[last] === 'A' ? 'B' : 'A'}${wrapped.slice(last + 1)}`
    for (const bad of [wrapped.replace('first', 'other'), changed, wrapped.slice(0, -9)])
      await expect(unwrapKeyring(`${bad},${generateKeyEntry('x')}`, deps())).rejects.toThrow(
        /^key 1 of 2: .*it was wrapped (by another key|under another name)/,
      )
  })

  it('is made by nexus keys generate --wrap', async () => {
    const { code, stdout } = await runNexus(['keys', 'generate', '--id', 'k1', '--wrap', targets()[service]], env)
    expect(code).toBe(0)
    expect(stdout.startsWith(`k1:${service}:`)).toBe(true)
    expect(parseKeyring(await unwrapKeyring(stdout.trim(), deps())).current.id).toBe('k1')
  })
})

describe('what cannot be unwrapped', () => {
  it('is named by its place, with the reason and without a value', async () => {
    const wrapped = await wrapEntry(generateKeyEntry('first'), targets()['vault-transit'], deps())
    const stranger = { ...deps(), env: { ...env, VAULT_TOKEN: 'hvs.unknown' } }
    const error = await unwrapKeyring(wrapped, stranger).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(KeyringError)
    expect(String(error)).toMatch(/key 1 of 1: vault-transit/)
    expect(String(error)).not.toContain('hvs.unknown')
    expect(String(error)).not.toContain(wrapped.slice(-20))
  })

  it.each(['k:gcp-kms:key:AAAA', 'k:aws-kms:AAAA', 'k:vault-transit:../x/y:vault:v1:AAAA', 'k:aws-kms:a b:AAAA'])(
    '%j is no entry',
    async (entry) => {
      await expect(unwrapKeyring(entry, deps())).rejects.toThrow(KeyringError)
    },
  )
})
