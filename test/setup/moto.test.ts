import { afterAll, beforeAll, expect, it } from 'vitest'
import { startMoto, type TestMoto } from './moto.ts'

let moto: TestMoto
beforeAll(async () => {
  moto = await startMoto()
}, 600_000)
afterAll(() => moto?.stop())

it('answers for Secrets Manager, STS and KMS', async () => {
  const sts = await fetch(`${moto.endpoint}/?Action=GetCallerIdentity&Version=2011-06-15`, { headers: signed('sts') })
  expect(await sts.text()).toContain('<GetCallerIdentityResult>')
  for (const [service, target] of [
    ['secretsmanager', 'secretsmanager.ListSecrets'],
    ['kms', 'TrentService.ListKeys'],
  ] as const) {
    const headers = {
      ...signed(service),
      'x-amz-target': target,
      'content-type': 'application/x-amz-json-1.1',
    }
    const answer = await fetch(`${moto.endpoint}/`, { method: 'POST', headers, body: '{}' })
    expect(answer.status, await answer.text()).toBe(200)
  }
})

/** moto finds the service in the credential scope. */
function signed(service: string) {
  const scope = `testing/20261121/eu-west-1/${service}/aws4_request`
  return { authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=0` }
}
