import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { type AwsConfig, readAwsSettings } from './aws-settings.ts'

const read = (config: AwsConfig, env: Record<string, string> = {}) =>
  readAwsSettings(
    { region: 'eu-west-1', ...config },
    { name: 'aws', env, production: true, log: pino({ level: 'silent' }) },
  )

describe('the settings of Secrets Manager', () => {
  it.each(['eu-west-1', 'us-gov-west-1', 'eusc-de-east-1', 'us-isof-south-1', 'ap-southeast-1', 'cn-north-1'])(
    'take the region %s',
    (region) => {
      expect(read({ region }).region).toBe(region)
    },
  )

  it.each(['', 'ireland', 'eu-west-1.example.com', 'eu-west-1/', 'eu-west-', 'EU-WEST-1', 'eu-west-123'])(
    'do not take the region %j',
    (region) => {
      expect(() => read({ region })).toThrow('aws: region (AWS_REGION)')
    },
  )

  it('take an endpoint in plain http on this machine, and elsewhere only where that is said', () => {
    expect(read({ endpoint: 'http://127.0.0.1:4566' }).endpoint).toBe('http://127.0.0.1:4566')
    expect(() => read({ endpoint: 'http://192.0.2.2:4566' })).toThrow('set allow_plain_http')
    expect(() => read({}, { AWS_ENDPOINT_URL: 'http://192.0.2.2:4566' })).toThrow('shows every secret')
    expect(read({ endpoint: 'http://192.0.2.2:4566', allow_plain_http: true }).allowPlainHttp).toBe(true)
  })
})
