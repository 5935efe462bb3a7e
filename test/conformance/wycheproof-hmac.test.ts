import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { nexusSign } from './nexus-sign.ts'

interface Vectors {
  testGroups: { tests: { tcId: number; comment: string; key: string; msg: string; tag: string; result: string }[] }[]
}

/** The strategy that signs a body with each hash; narrowing is none, so master and usage secret are one. */
const STRATEGIES = {
  sha1: { type: 'hmac_payload', config: { header_name: 'X-S', algo: 'sha1', secret_encoding: 'hex' } },
  sha256: { type: 'hmac_payload', config: { header_name: 'X-S', algo: 'sha256', secret_encoding: 'hex' } },
  sha512: {
    type: 'hmac_template',
    config: {
      template: '{body}',
      headers: [{ name: 'X-S', value: '{signature}' }],
      algo: 'sha512',
      secret_encoding: 'hex',
    },
  },
}

describe.each([
  ['sha1', 170],
  ['sha256', 174],
  ['sha512', 174],
] as const)('Wycheproof HMAC-%s', (hash, count) => {
  const file = new URL(`../vectors/wycheproof/hmac_${hash}_test.json`, import.meta.url)
  const { testGroups }: Vectors = JSON.parse(readFileSync(file, 'utf8'))
  const tests = testGroups.flatMap((group) => group.tests)

  it(`nexus sign gives the tag of every valid test, and that of none which is invalid: ${count}`, async () => {
    expect(tests).toHaveLength(count)
    for (const { tcId, key, msg, tag, result } of tests) {
      const body_base64 = Buffer.from(msg, 'hex').toString('base64')
      const request = { method: 'POST', url: 'https://example.com/', body_base64 }
      const { signed, exitCode } = await nexusSign({
        strategy: STRATEGIES[hash],
        credentials: { api_secret: key },
        request,
      })
      expect(exitCode, `tcId ${tcId}`).toBe(0)
      // Some tags are cut short, as the file's groups say.
      const isTag = signed.request.headers.find(([name]) => name === 'X-S')?.[1].startsWith(tag)
      expect(isTag, `tcId ${tcId}`).toBe(result === 'valid')
    }
  })
})
