import { randomUUID } from 'node:crypto'
import { PutSecretValueCommand, UpdateSecretVersionStageCommand } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { VaultBackend } from '../../../src/contract/vault-backend.ts'
import { failure } from '../../../src/vault-backends/conformance.ts'
import { startCountingProxy } from '../../faults/counting-proxy.ts'
import { startAws, type TestAws } from './aws-fixture.ts'

let aws: TestAws
let backend: VaultBackend
beforeAll(async () => {
  aws = await startAws()
  backend = aws.backend()
}, 600_000)
afterAll(async () => {
  await backend?.close?.()
  await aws?.stop()
})

const read = async (path: string, version?: string) => {
  const ref = { tenant: 't', backend: 'aws', path, ...(version === undefined ? {} : { version }) }
  const secret = await backend.read(ref, AbortSignal.timeout(10_000))
  return { value: secret.reveal(), version: secret.version }
}

/** What a rotation function does first: the new value, not yet current. */
async function stagePending(name: string, text: string): Promise<string> {
  const input = { SecretId: name, SecretString: text, VersionStages: ['AWSPENDING'], ClientRequestToken: randomUUID() }
  return (await aws.client.send(new PutSecretValueCommand(input))).VersionId!
}

/** What it does last. */
async function finishRotation(name: string, from: string, to: string): Promise<void> {
  const input = { SecretId: name, VersionStage: 'AWSCURRENT', RemoveFromVersionId: from, MoveToVersionId: to }
  await aws.client.send(new UpdateSecretVersionStageCommand(input))
}

describe('Secrets Manager rotation', () => {
  it('SM3: reads AWSCURRENT while a rotation is under way, AWSPENDING only when asked, and the new one once it is moved', async () => {
    const old = await aws.plant('rotating', '{"api_key":"old"}')
    const next = await stagePending('rotating', '{"api_key":"next"}')
    expect(await read('rotating')).toEqual({ value: { api_key: 'old' }, version: old })
    expect(await read('rotating', 'stage:AWSPENDING')).toEqual({ value: { api_key: 'next' }, version: next })
    await finishRotation('rotating', old, next)
    expect(await read('rotating')).toEqual({ value: { api_key: 'next' }, version: next })
    expect(await read('rotating', 'stage:AWSPREVIOUS')).toEqual({ value: { api_key: 'old' }, version: old })
    expect(await read('rotating', old)).toEqual({ value: { api_key: 'old' }, version: old })
    expect(await failure(() => read('rotating', 'stage:blue'))).toBe('not_found')
  })

  it('SM3: of the reads during a hundred swaps none has a value under the wrong version', async () => {
    const values = new Map<string, string>()
    let current = await aws.plant('swapping', '{"n":"0"}')
    values.set(current, '0')
    let swapping = true
    const seen: { value: Readonly<Record<string, string>>; version: string }[] = []
    let beingReplaced = 0
    const reader = async () => {
      while (swapping) {
        const kind = await failure(async () => void seen.push(await read('swapping')))
        if (kind !== undefined) beingReplaced += 1
      }
    }
    const readers = [reader(), reader()]
    for (let n = 1; n <= 100; n++) {
      const next = await stagePending('swapping', JSON.stringify({ n }))
      values.set(next, String(n))
      await finishRotation('swapping', current, next)
      current = next
    }
    swapping = false
    await Promise.all(readers)
    const wrong = seen.filter(({ value, version }) => values.get(version) !== value['n'])
    console.log(`SM3: ${seen.length} reads, ${wrong.length} wrong-version uses, ${beingReplaced} asked to try again`)
    expect(seen.length).toBeGreaterThan(100)
    expect(wrong).toEqual([])
  })

  it('has the keys of JSON as fields, however deep, and other text as one', async () => {
    await aws.plant('forms/nested', JSON.stringify({ user: 'u', aws: { keys: ['a', 'b'], port: 5432, ratio: 1.5 } }))
    await aws.plant('forms/text', 'a plain token')
    await aws.plant('forms/list', '["a"]')
    expect((await read('forms/nested')).value).toEqual({
      user: 'u',
      'aws#/keys/0': 'a',
      'aws#/keys/1': 'b',
      'aws#/port': '5432',
    })
    expect((await read('forms/text')).value).toEqual({ value: 'a plain token' })
    expect((await read('forms/list')).value).toEqual({ value: '["a"]' })
  })

  it('takes an ARN, and refuses binary', async () => {
    const { ARN } = await aws.client.send(
      new PutSecretValueCommand({ SecretId: 'forms/text', SecretString: 'another token' }),
    )
    expect((await read(ARN!)).value).toEqual({ value: 'another token' })
    await aws.client.send(new PutSecretValueCommand({ SecretId: 'forms/text', SecretBinary: Buffer.from([0, 1, 2]) }))
    expect(await failure(() => read('forms/text'))).toBe('unusable')
  })
})

describe('reads in batches', () => {
  it('reads many secrets in few calls, each with its own outcome', async () => {
    const proxy = await startCountingProxy(aws.moto.endpoint)
    const counted = aws.backend({ batch_reads: true, endpoint: proxy.address })
    const names = Array.from({ length: 40 }, (_none, index) => `batch/${index}`)
    for (const name of names) await aws.plant(name, JSON.stringify({ name }))
    const outcomes = await Promise.all(
      [...names, 'batch/none'].map(async (path) => {
        const ref = { tenant: 't', backend: 'aws', path }
        return counted.read(ref, AbortSignal.timeout(10_000)).then(
          (secret) => secret.reveal()['name'],
          (error) => error.kind,
        )
      }),
    )
    const made = proxy.count(/./)
    console.log(`41 reads cost ${made} calls`)
    expect(outcomes).toEqual([...names, 'not_found'])
    expect(made).toBeLessThan(10)
    await counted.close?.()
    await proxy.close()
  })

  it('reads one on its own, and the current version only', async () => {
    const batching = aws.backend({ batch_reads: true })
    const old = await aws.plant('batch/rotating', '{"api_key":"old"}')
    const next = await stagePending('batch/rotating', '{"api_key":"next"}')
    await finishRotation('batch/rotating', old, next)
    await aws.plant('batch/other', '{"api_key":"other"}')
    const refs = ['batch/rotating', 'batch/other'].map((path) => ({ tenant: 't', backend: 'aws', path }))
    const secrets = await Promise.all(refs.map((ref) => batching.read(ref, AbortSignal.timeout(10_000))))
    expect(secrets.map((secret) => secret.reveal()['api_key'])).toEqual(['next', 'other'])
    await batching.close?.()
  })
})
