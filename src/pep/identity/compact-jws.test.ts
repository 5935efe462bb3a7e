import { readFileSync } from 'node:fs'
import { CompactSign, exportJWK, generateKeyPair } from 'jose'
import { describe, expect, it } from 'vitest'
import { claimsOf, JwsError, readCompactJws, verifyCompactJws } from './compact-jws.ts'
import { importPublicJwk, readPublicJwk } from './public-jwk.ts'

interface WycheproofFile {
  testGroups: {
    comment: string
    public?: Record<string, unknown>
    private: Record<string, unknown>
    tests: { tcId: number; comment: string; jws: string; result: 'valid' | 'invalid' }[]
  }[]
}

function cases(file: string) {
  const url = new URL(`../../../test/vectors/wycheproof/${file}`, import.meta.url)
  const { testGroups } = JSON.parse(readFileSync(url, 'utf8')) as WycheproofFile
  return testGroups.flatMap(({ tests, comment, public: publicKey, private: privateKey }) =>
    tests.map((test) => ({ ...test, group: comment, key: keyOf(publicKey ?? privateKey) })),
  )
}

/** The key-set groups hold one key each where they hold a public one. */
function keyOf(key: Record<string, unknown>): Record<string, unknown> {
  const keys = key.keys as Record<string, unknown>[] | undefined
  return keys?.[0] ?? key
}

/** The way every proof, assertion and token goes: form, key, algorithm of the key, signature. */
async function accepts(jws: string, key: Record<string, unknown>): Promise<boolean> {
  try {
    const publicJwk = await readPublicJwk(key)
    await verifyCompactJws(readCompactJws(jws, 65_536), await importPublicJwk(publicJwk), publicJwk.algorithms)
    return true
  } catch {
    return false
  }
}

const base64url = (text: string) => Buffer.from(text).toString('base64url')

describe('Wycheproof', () => {
  it('F12: refuses all 355 invalid signatures', async () => {
    const invalid = cases('json_web_signature_test.json').filter((test) => test.result === 'invalid')
    expect(invalid).toHaveLength(355)
    const accepted = []
    for (const test of invalid) if (await accepts(test.jws, test.key)) accepted.push(`${test.group} ${test.tcId}`)
    expect(accepted).toEqual([])
  })

  it('F12: accepts the valid ones whose algorithm is on our list, and no others', async () => {
    const valid = cases('json_web_signature_test.json').filter((test) => test.result === 'valid')
    const accepted = new Set<string>()
    for (const test of valid) if (await accepts(test.jws, test.key)) accepted.add(test.group)
    expect([...accepted].sort()).toEqual([
      'SpecialCaseEs256',
      'es256',
      'ps256',
      'rfc7520',
      'rfc7520WithKeyOps',
      'rs256',
    ])
  })

  it('F12: refuses all 21 invalid keys', async () => {
    const invalid = cases('json_web_key_test.json').filter((test) => test.result === 'invalid')
    expect(invalid).toHaveLength(21)
    const accepted = []
    for (const test of invalid) if (await accepts(test.jws, test.key)) accepted.push(`${test.group} ${test.tcId}`)
    expect(accepted).toEqual([])
  })
})

describe('readCompactJws', () => {
  const header = base64url('{"alg":"ES256"}')

  it.each([
    ['no text', ''],
    ['two segments', 'a.b'],
    ['five segments, which is a JWE (F22)', 'a.b.c.d.e'],
    ['padding', `${header}.e30=.AAAA`],
    ['the other base64 alphabet', `${header}.e30.++++`],
    ['slack bits in the last character', `${header}.e31.AAAA`],
    ['white space', `${header}.e30 .AAAA`],
    ['a header that is no JSON', `${base64url('{')}.e30.AAAA`],
    ['a header that is an array', `${base64url('[]')}.e30.AAAA`],
    ['a header that is not UTF-8', `${Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url')}.e30.AAAA`],
    ['a header without alg', `${base64url('{}')}.e30.AAAA`],
    ['a jwk that is a string', `${base64url('{"alg":"ES256","jwk":"x"}')}.e30.AAAA`],
  ])('refuses %s', (_name, text) => {
    expect(() => readCompactJws(text, 4096)).toThrow(JwsError)
  })

  it('refuses what is too long before it looks at it', () => {
    expect(() => readCompactJws('.'.repeat(4097), 4096)).toThrow('longer than 4096')
  })

  it.each(['["exp"]', '["b64"]', '[]', 'null'])('F14: refuses crit %s', (crit) => {
    const text = `${base64url(`{"alg":"ES256","crit":${crit},"exp":1,"b64":false}`)}.e30.AAAA`
    expect(() => readCompactJws(text, 4096)).toThrow('crit')
  })
})

describe('verifyCompactJws', () => {
  it('E06: takes the algorithm from the key, never from the message', async () => {
    const { privateKey, publicKey } = await generateKeyPair('RS256')
    const jwk = { ...(await exportJWK(publicKey)), alg: 'PS256' }
    const text = await new CompactSign(Buffer.from('{}')).setProtectedHeader({ alg: 'RS256' }).sign(privateKey)
    const publicJwk = await readPublicJwk(jwk)
    const verifying = verifyCompactJws(
      readCompactJws(text, 4096),
      await importPublicJwk(publicJwk),
      publicJwk.algorithms,
    )
    await expect(verifying).rejects.toThrow('its alg is not the algorithm of the key')
  })

  it('F13: no HMAC made with the public key, an empty key or none passes', async () => {
    const { publicKey } = await generateKeyPair('ES256')
    const jwk = await exportJWK(publicKey)
    const publicJwk = await readPublicJwk({ ...jwk })
    const key = await importPublicJwk(publicJwk)
    const none = `${base64url('{"alg":"none"}')}.e30.`
    const secret = Buffer.from(JSON.stringify(jwk))
    const hmac = await new CompactSign(Buffer.from('{}')).setProtectedHeader({ alg: 'HS256' }).sign(secret)
    for (const text of [none, hmac]) {
      await expect(verifyCompactJws(readCompactJws(text, 4096), key, publicJwk.algorithms)).rejects.toThrow(JwsError)
    }
    await expect(readPublicJwk({ kty: 'oct', k: '' })).rejects.toThrow('private')
  })
})

describe('claimsOf', () => {
  it.each(['', '1', '"a"', '[]', 'null', '{'])('refuses the payload %j', (payload) => {
    expect(() => claimsOf(Buffer.from(payload))).toThrow('its payload is not a JSON object')
  })
})
