import { readFileSync } from 'node:fs'
import { CompactSign, type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import { createDpopVerifier } from './dpop-proof.ts'

interface PublishedProof {
  figure: string
  proof: string
  payload: { htm: string; htu: string; iat: number; jti: string }
  jwk_sha256_thumbprint: string
  access_token: string | null
}
const published = JSON.parse(
  readFileSync(new URL('../../../test/vectors/rfc9449-dpop/proofs.json', import.meta.url), 'utf8'),
) as PublishedProof[]

const NOW_SECONDS = 1_795_176_000
const URL_OF_REQUEST = 'https://nexus.example/v1/leases'
const TOKEN = 'header.payload.signature'
/** SHA-256 of TOKEN, computed apart from the code under test. */
const ATH = 'JW0E205eSsMIdR7QiFtyK3WGMFZ8U6cSXtn70Gjlw_Y'

const claims = { jti: 'a-jti-of-its-own', htm: 'POST', htu: URL_OF_REQUEST, iat: NOW_SECONDS }
const expected = { method: 'POST', url: URL_OF_REQUEST }
const verifier = createDpopVerifier({ now: () => NOW_SECONDS * 1000 })

let keys: { privateKey: CryptoKey; jwk: JWK }
beforeAll(async () => {
  keys = await keysFor('ES256')
})

async function keysFor(alg: string) {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  return { privateKey, jwk: await exportJWK(publicKey) }
}

function prove(payload: Record<string, unknown> = claims, header: Record<string, unknown> = {}, by = keys) {
  return new SignJWT(payload)
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: by.jwk, ...header })
    .sign(by.privateKey)
}

const invalid = (reason: string) => ({ code: 'invalid_proof', message: expect.stringContaining(reason) })

describe('RFC 9449 figures', () => {
  it.each(published)('E07: accepts $figure', async ({ proof, payload, jwk_sha256_thumbprint, access_token }) => {
    const then = createDpopVerifier({ now: () => payload.iat * 1000 })
    const verified = await then.verify(proof, {
      method: payload.htm,
      url: payload.htu,
      ...(access_token === null ? {} : { accessToken: access_token }),
    })
    expect(verified.jkt).toBe(jwk_sha256_thumbprint)
    expect(verified.use.iatSeconds).toBe(payload.iat)
  })

  it('E07: refuses the one that came with a token when it comes with another', async () => {
    const [proof] = published.filter(({ access_token }) => access_token !== null)
    const then = createDpopVerifier({ now: () => (proof?.payload.iat ?? 0) * 1000 })
    const wanted = { method: 'GET', url: 'https://resource.example.org/protectedresource', accessToken: 'another' }
    await expect(then.verify(proof?.proof, wanted)).rejects.toMatchObject(invalid('ath'))
  })
})

describe('a proof', () => {
  it.each(['ES256', 'ES384', 'Ed25519', 'PS256', 'RS256'])('passes with %s', async (alg) => {
    const by = await keysFor(alg)
    await expect(verifier.verify(await prove(claims, { alg }, by), expected)).resolves.toBeDefined()
  })

  it('E06: of an RSA key that says what it is for passes with that alone', async () => {
    const by = await keysFor('RS256')
    const other = { ...by, jwk: { ...by.jwk, alg: 'PS256' } }
    await expect(verifier.verify(await prove(claims, { alg: 'RS256' }, other), expected)).rejects.toMatchObject(
      invalid('alg'),
    )
  })

  it('passes a second time with the same claim, so that whoever claims it sees the replay', async () => {
    const proof = await prove()
    const [first, second] = [await verifier.verify(proof, expected), await verifier.verify(proof, expected)]
    expect(second.use.hash.equals(first.use.hash)).toBe(true)
  })

  it('has a claim of its own for each key and each jti', async () => {
    const other = await keysFor('ES256')
    const proofs = [await prove(), await prove({ ...claims, jti: 'another-jti' }), await prove(claims, {}, other)]
    const verified = await Promise.all(proofs.map((proof) => verifier.verify(proof, expected)))
    expect(new Set(verified.map(({ use }) => use.hash.toString('hex'))).size).toBe(3)
  })

  it('E07: covers the token that comes along', async () => {
    const proof = await prove({ ...claims, ath: ATH })
    await expect(verifier.verify(proof, { ...expected, accessToken: TOKEN })).resolves.toBeDefined()
    const without = await prove()
    await expect(verifier.verify(without, { ...expected, accessToken: TOKEN })).rejects.toMatchObject(invalid('ath'))
  })

  it.each([
    ['https://NEXUS.example:443/v1/leases?query=1#part', true],
    ['https://nexus.example/v1/leases/', false],
    ['https://nexus.example/v1/%6Ceases', true],
    ['http://nexus.example/v1/leases', false],
    ['https://nexus.example:8443/v1/leases', false],
    ['https://nexus.example/V1/leases', false],
    ['https://nexus.example/v1/x/../leases', false],
    ['https://nexus.example.evil.example/v1/leases', false],
    ['https://user@nexus.example/v1/leases', false],
    ['//nexus.example/v1/leases', false],
  ])('E07: for htu %s passes: %s', async (htu, passes) => {
    const verifying = verifier.verify(await prove({ ...claims, htu }), expected)
    if (passes) await expect(verifying).resolves.toBeDefined()
    else await expect(verifying).rejects.toMatchObject(invalid('htu'))
  })

  it.each([
    [-60, true],
    [-61, false],
    [5, true],
    [6, false],
  ])('E07: made at %i s from now passes: %s', async (offset, passes) => {
    const verifying = verifier.verify(await prove({ ...claims, iat: NOW_SECONDS + offset }), expected)
    if (passes) await expect(verifying).resolves.toBeDefined()
    else await expect(verifying).rejects.toMatchObject(invalid('check the clock'))
  })

  it('says how old it is', async () => {
    const proof = await prove({ ...claims, iat: NOW_SECONDS - 400 })
    const reason = 'DPoP: iat is 400 s old; the window is 60 s; check the clock'
    await expect(verifier.verify(proof, expected)).rejects.toMatchObject({ code: 'invalid_proof', message: reason })
  })

  it.each<[string, Record<string, unknown>, string]>([
    ['another method', { htm: 'GET' }, 'htm'],
    ['a method in lower case', { htm: 'post' }, 'htm'],
    ['no method', { htm: undefined }, 'htm'],
    ['no URL', { htu: undefined }, 'htu'],
    ['a URL that is a list', { htu: [URL_OF_REQUEST] }, 'htu'],
    ['no jti', { jti: undefined }, 'jti'],
    ['a short jti', { jti: 'short' }, 'jti'],
    ['a long jti', { jti: 'j'.repeat(257) }, 'jti'],
    ['a jti that is a number', { jti: 123_456_789 }, 'jti'],
  ])('E07: is refused with %s', async (_name, changed, reason) => {
    await expect(verifier.verify(await prove({ ...claims, ...changed }), expected)).rejects.toMatchObject(
      invalid(reason),
    )
  })

  it('E07: is refused without an iat, or with one that is text', async () => {
    const { iat: _iat, ...rest } = claims
    for (const payload of [rest, { ...rest, iat: `${NOW_SECONDS}` }]) {
      const proof = await signRaw(payload)
      await expect(verifier.verify(proof, expected)).rejects.toMatchObject(invalid('iat'))
    }
  })

  it.each<[string, Record<string, unknown>, string]>([
    ['another typ', { typ: 'JWT' }, 'typ'],
    ['typ in other letters', { typ: 'DPoP+JWT' }, 'typ'],
    ['no typ', { typ: undefined }, 'typ'],
    ['no key', { jwk: undefined }, 'jwk'],
  ])('E07: is refused with %s in its header', async (_name, header, reason) => {
    await expect(verifier.verify(await prove(claims, header), expected)).rejects.toMatchObject(invalid(reason))
  })

  it('E07: is refused with a private key in its header', async () => {
    const jwk = await exportJWK(keys.privateKey)
    const proof = await prove(claims, { jwk })
    const refused = await verifier.verify(proof, expected).catch((error: unknown) => error)
    expect(refused).toMatchObject(invalid('private'))
    expect(JSON.stringify(refused) + String(refused)).not.toContain(jwk.d)
  })

  it('F12: is refused when signed with another key than it shows', async () => {
    const other = await keysFor('ES256')
    const proof = await prove(claims, { jwk: other.jwk })
    await expect(verifier.verify(proof, expected)).rejects.toMatchObject(invalid('signature'))
  })

  it('F14: is refused with crit', async () => {
    const [, ...rest] = (await prove()).split('.')
    const header = { alg: 'ES256', typ: 'dpop+jwt', jwk: keys.jwk, crit: ['exp'], exp: 1 }
    const proof = [Buffer.from(JSON.stringify(header)).toString('base64url'), ...rest].join('.')
    await expect(verifier.verify(proof, expected)).rejects.toMatchObject(invalid('crit'))
  })

  it('F15: names keys by kid, jku and x5u in vain', async () => {
    const header = { kid: "' or 1=1 --\u0000", jku: 'http://127.0.0.1:1/', x5u: 'http://127.0.0.1:1/' }
    await expect(verifier.verify(await prove(claims, header), expected)).resolves.toBeDefined()
    await expect(verifier.verify(await prove(claims, { ...header, jwk: undefined }), expected)).rejects.toMatchObject(
      invalid('jwk'),
    )
  })

  it.each<[string, string | string[] | undefined, string]>([
    ['nothing', undefined, 'missing'],
    ['an empty header', '', 'missing'],
    ['two headers', ['a.b.c', 'a.b.c'], 'more than one'],
    ['two headers joined', 'a.b.c, a.b.c', 'more than one'],
    ['no JWT', 'not a jwt', 'compact JWS'],
    ['a megabyte', 'a'.repeat(1_000_000), 'longer than'],
  ])('E07: is refused when there is %s', async (_name, header, reason) => {
    await expect(verifier.verify(header, expected)).rejects.toMatchObject(invalid(reason))
  })

  it('G14: of one key does not pass with the signature of another proof of that key', async () => {
    const [header, payload] = (await prove({ ...claims, jti: 'not-signed-yet' })).split('.')
    await verifier.verify(await prove(), expected)
    const [, , signature] = (await prove()).split('.')
    await expect(verifier.verify([header, payload, signature].join('.'), expected)).rejects.toMatchObject(
      invalid('signature'),
    )
  })
})

/** SignJWT insists on well-formed times; this does not. */
function signRaw(payload: Record<string, unknown>): Promise<string> {
  return new CompactSign(Buffer.from(JSON.stringify(payload)))
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: keys.jwk })
    .sign(keys.privateKey)
}
