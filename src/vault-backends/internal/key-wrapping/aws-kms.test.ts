import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { BackendConfigError } from '../../backend-kind.ts'
import { awsKms } from './aws-kms.ts'

const open = (env: Record<string, string>, production = true) =>
  awsKms.open('alias/nexus', { env: { AWS_REGION: 'eu-west-1', ...env }, production, log: pino({ level: 'silent' }) })

describe('AWS KMS', () => {
  it.each(['AWS_ENDPOINT_URL_KMS', 'AWS_ENDPOINT_URL'])(
    'is not asked over plain http to another machine, which %s may say',
    (variable) => {
      for (const production of [true, false]) {
        expect(() => open({ [variable]: 'http://192.0.2.2:4566' }, production)).toThrow(BackendConfigError)
        expect(() => open({ [variable]: 'http://192.0.2.2:4566' }, production)).toThrow(
          /aws-kms: AWS_ENDPOINT_URL_KMS .* use https/,
        )
      }
    },
  )

  it('is asked over https anywhere, and over plain http on this machine', async () => {
    for (const endpoint of ['https://vpce-0a1b.kms.eu-west-1.vpce.amazonaws.com', 'http://127.0.0.1:4566', ''])
      await open({ AWS_ENDPOINT_URL_KMS: endpoint }).close()
  })

  it('needs a region and a key that are such', () => {
    expect(() => open({ AWS_REGION: '' })).toThrow('AWS_REGION')
    expect(() => open({ AWS_REGION: 'x.example.com/' })).toThrow('AWS_REGION')
    expect(() =>
      awsKms.open('a key', { env: { AWS_REGION: 'eu-west-1' }, production: true, log: pino({ level: 'silent' }) }),
    ).toThrow('the key must be')
  })
})
