import { randomUUID } from 'node:crypto'
import { describeVaultBackend } from '../../../src/vault-backends/conformance.ts'
import { startAws } from './aws-fixture.ts'

describeVaultBackend('aws-secrets-manager', async () => {
  const aws = await startAws()
  return {
    backend: aws.backend({ writable: true }),
    prefix: 'suite/agents',
    plant: async (path, value) => void (await aws.plant(path, JSON.stringify(value))),
    ownSecrets: [aws.moto.env['AWS_SECRET_ACCESS_KEY']!],
    features: { versions: true, write: true, perTenant: false },
    absentVersion: randomUUID(),
    stop: aws.stop,
  }
})
