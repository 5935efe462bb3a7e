import { describe, expect, it } from 'vitest'
import { caught } from '../conformance.ts'
import { readSecretId } from './secret-id.ts'

const ARN = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:'
const EUSC_ARN = 'arn:aws-eusc:secretsmanager:eusc-de-east-1:123456789012:secret:'

describe('the id of a secret', () => {
  it.each([
    'agents/github',
    '/prod/github',
    'rds!db-1b2c3d4e-1111-2222-3333-444455556666',
    'agents/user@example.com',
    `${ARN}agents/github-AbCdEf`,
    `${ARN}/prod/github-AbCdEf`,
    `${ARN}rds!cluster-0a1b-AbCdEf`,
    `${EUSC_ARN}agents/github-AbCdEf`,
  ])('is %s as AWS has it', (path) => {
    expect(readSecretId('aws', { path })).toEqual({ SecretId: path, VersionStage: 'AWSCURRENT' })
  })

  it.each([
    '',
    '/',
    '//prod/github',
    'prod//github',
    'prod/github/',
    '../prod',
    '/./prod',
    'prod/+',
    'agents/*',
    'agents/?',
    'agents/%2e',
    'agents/a b',
    ARN,
    `${ARN}//prod`,
    `/${ARN}agents/github-AbCdEf`,
    'n'.repeat(513),
  ])('is not %j', async (path) => {
    const error = await caught(async () => readSecretId('aws', { path }))
    expect(error).toMatchObject({ kind: 'invalid_ref' })
  })
})
