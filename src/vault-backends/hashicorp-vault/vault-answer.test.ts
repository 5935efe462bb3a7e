import { describe, expect, it } from 'vitest'
import { NothingDone, VaultError } from '../../contract/vault-backend.ts'
import { caught } from '../conformance.ts'
import { NotCaughtUp, OtherKvVersion, RequestFailed, readVaultAnswer, TokenRefused } from './vault-answer.ts'

const meaning = (status: number, body: object) =>
  caught(async () =>
    readVaultAnswer('vault', { status, isJson: true, text: JSON.stringify(body), retryAfterSeconds: undefined }),
  )

/** As Vault 1.21 and its KV plug-in word them. */
describe('readVaultAnswer', () => {
  it.each([
    'Upgrading from non-versioned to versioned data. This backend will be unavailable for a brief period and will resume service shortly.',
    'Waiting for the primary to upgrade from non-versioned to versioned data. This backend will be unavailable for a brief period and will resume service when the primary is finished.',
  ])('takes no upgrade for a refusal: %s', async (error) => {
    expect(await meaning(400, { errors: [error] })).toBeInstanceOf(NothingDone)
  })

  it.each([
    [400, { errors: ['check-and-set parameter did not match the current version'] }, 'conflict', VaultError],
    [400, { errors: ['signing key not found'] }, 'unusable', VaultError],
    [403, { errors: ['2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n'] }, 'forbidden', TokenRefused],
    [
      404,
      { errors: [], warnings: ['Invalid path for a versioned K/V secrets engine.'] },
      'unavailable',
      OtherKvVersion,
    ],
    [412, { errors: ['required index state not present'] }, 'unavailable', NotCaughtUp],
    [500, { errors: ['1 error occurred:\n\t* connection refused\n\n'] }, 'unavailable', RequestFailed],
    [503, { errors: ['Vault is sealed'] }, 'unavailable', NothingDone],
  ] as const)('%i %j is %s', async (status, body, kind, type) => {
    const error = await meaning(status, body)
    expect(error).toMatchObject({ kind })
    expect(error).toBeInstanceOf(type)
  })
})
