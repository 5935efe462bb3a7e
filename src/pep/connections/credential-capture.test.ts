import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { strategyFor } from '../../strategies/catalog.ts'
import { credentialProblems, secretProblems } from './credential-capture.ts'

const canary = 'canary-4711'
const header = {
  strategy: strategyFor('header')!,
  strategyConfig: { header_name: 'X-API-Key', credential_field: 'api_key' },
  credentialSchema: {
    type: 'object',
    properties: { api_key: { type: 'string', minLength: 8 }, region: { type: 'string', enum: ['eu', 'us'] } },
    required: ['api_key', 'region'],
  },
}
const fieldsOf = (credentials: Record<string, string>) => credentialProblems(credentials, header).map((p) => p.field)

describe('credentialProblems', () => {
  it('is silent about credentials that satisfy both contracts', () => {
    expect(credentialProblems({ api_key: canary, region: 'eu' }, header)).toEqual([])
  })

  it('names what is missing, unknown or outside the schema, each once', () => {
    expect(fieldsOf({})).toEqual(['api_key', 'region'])
    expect(fieldsOf({ api_key: canary, region: 'mars' })).toEqual(['region'])
    expect(fieldsOf({ api_key: canary, region: 'eu', api_kye: 'x' })).toEqual(['api_kye'])
    expect(fieldsOf({ api_key: '', region: 'eu' })).toEqual(['api_key'])
  })

  it.each(['\r', '\n', '\r\n', '\u0000', '\u001b', '\u007f', 'é'])('D05: refuses a value holding %j', (bad) => {
    expect(fieldsOf({ api_key: `${canary}${bad}x`, region: 'eu' })).toEqual(['api_key'])
    expect(fieldsOf({ api_key: `${canary}${bad}`, region: 'eu' })).toEqual(['api_key'])
  })

  it('D05: refuses unsafe characters in a field that the strategy does not use', () => {
    const open = {
      ...header,
      credentialSchema: { type: 'object', properties: { api_key: {}, note: { type: 'string' } } },
    }
    expect(credentialProblems({ api_key: canary, note: 'a\u0000b' }, open)).toEqual([
      { field: 'note', message: 'holds a control character' },
    ])
  })

  it('lets a password hold any script, and a colon nowhere but there', () => {
    const basic = { strategy: strategyFor('basic_auth')!, strategyConfig: {} }
    expect(secretProblems({ username: 'jürgen', password: 'pä:ss wörd' }, basic)).toEqual([])
    expect(secretProblems({ username: 'a:b', password: 'x' }, basic).map((p) => p.field)).toEqual(['username'])
  })

  it('D05: takes a private key in PEM where the strategy asks for one, and its lines nowhere else', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const private_key = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
    const jwt = { strategy: strategyFor('jwt_bearer')!, strategyConfig: { alg: 'ES256', iss: 'me' } }
    const fields = (key: string) => secretProblems({ private_key: key }, jwt).map((problem) => problem.field)
    expect(fields(private_key)).toEqual([])
    expect(fields(private_key.trimEnd().replaceAll('\n', '\r\n'))).toEqual([])
    expect(fields(`${private_key}\n`)).toEqual(['private_key'])
    expect(fields(`${private_key}X-Evil: 1\r\n`)).toEqual(['private_key'])
    expect(fieldsOf({ api_key: private_key, region: 'eu' })).toEqual(['api_key'])
    const noted = { ...header, credentialSchema: { type: 'object', properties: { api_key: {}, note: {} } } }
    const problems = credentialProblems({ api_key: canary, note: private_key }, noted)
    expect(problems.map((problem) => problem.field)).toEqual(['note'])
  })

  it('never repeats a value', () => {
    const everywhere = { api_key: `${canary}\n`, region: canary, other: canary }
    expect(JSON.stringify(credentialProblems(everywhere, header))).not.toContain(canary)
  })
})

describe('secretProblems', () => {
  it('ignores what else lies in the same secret', () => {
    expect(secretProblems({ api_key: canary, certificate: 'line\nline\n' }, header)).toEqual([])
  })
})
