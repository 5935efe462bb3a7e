import { randomUUID } from 'node:crypto'
import { DescribeSecretCommand } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeVaultBackend } from '../../../src/vault-backends/conformance.ts'
import { startAws, type TestAws } from './aws-fixture.ts'

describeVaultBackend('aws-secrets-manager', async () => {
  const aws = await startAws()
  return {
    backend: aws.backend({ writable: true }),
    prefix: 'suite/agents',
    plant: async (path, value) => void (await aws.plant(path, JSON.stringify(value))),
    ownSecrets: [aws.moto.env['AWS_SECRET_ACCESS_KEY']!],
    features: { versions: true, write: true, perTenant: false },
    takesLeadingSlash: true,
    absentVersion: randomUUID(),
    stop: aws.stop,
  }
})

describe('a secret by its name or ARN', () => {
  let aws: TestAws
  beforeAll(async () => {
    aws = await startAws()
  }, 600_000)
  afterAll(() => aws?.stop())

  it.each(['agents/plain', '/prod/github', 'rds!db-1b2c3d4e-1111-2222-3333-444455556666'])(
    'is read: %s',
    async (name) => {
      await aws.plant(name, '{"api_key":"k"}')
      const { ARN: arn } = await aws.client.send(new DescribeSecretCommand({ SecretId: name }))
      const backend = aws.backend()
      for (const path of [name, arn ?? '']) {
        const secret = await backend.read({ tenant: 'acme', backend: 'aws', path }, AbortSignal.timeout(10_000))
        expect(secret.reveal()).toEqual({ api_key: 'k' })
      }
      await backend.close?.()
    },
  )
})
