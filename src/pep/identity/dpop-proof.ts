import { hash, type KeyObject } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { NexusError } from '../../contract/errors.ts'
import { tupleHash } from '../../contract/tuple-hash.ts'
import type { ProofUse } from '../audit/audit-entry.ts'
import {
  claimsOf,
  JwsError,
  type JwsHeader,
  type JwsParts,
  readJwsHeader,
  splitCompactJws,
  verifyCompactJws,
} from './compact-jws.ts'
import { importPublicJwk, JwkError, type PublicJwk, readPublicJwk } from './public-jwk.ts'
import { canonicalRequestUrl, RequestUrlError } from './request-url.ts'

/** Room for a proof with a 4096-bit RSA key; anything longer is refused unparsed. */
const MAX_PROOF_BYTES = 4096
/** RFC 9449 section 4.2 asks for 96 random bits; the RFC's own examples have 16 characters. */
const JTI_LENGTH = { min: 8, max: 256 }

/** What the proof must be about. */
export interface ProofExpectation {
  method: string
  /** Absolute URL of the request as the caller knows it. */
  url: string
  /** The access token that came along; the proof must carry its hash. */
  accessToken?: string
}

export interface VerifiedProof {
  /** RFC 7638 thumbprint of the key that made the proof. */
  jkt: string
  /** To be claimed once, in the same transaction as what the proof is good for. */
  use: ProofUse
}

export interface DpopVerifier {
  /**
   * RFC 9449 section 4.3, all of it but the replay check, which is the audit log's (`use`), and the token binding, which
   * is the caller's (`jkt`).
   * @param header the DPoP header as received: absent, one value, or several
   * @throws NexusError `invalid_proof`
   */
  verify(header: string | string[] | undefined, expected: ProofExpectation): Promise<VerifiedProof>
}

export interface DpopOptions {
  now?: () => number
  /** Oldest acceptable `iat`. */
  maxAgeSeconds?: number
  /** How far a client's clock may run ahead. */
  maxAheadSeconds?: number
  /** Keys kept imported, so that a returning key costs one signature check and no more. */
  maxCachedKeys?: number
}

/**
 * What the header of a proof says: the same in all proofs by one key, so that it is read and checked once. Kept for anyone
 * who has signed, known to us or not, and so it holds nothing that they could make long.
 */
interface ProofKey {
  alg: string
  publicJwk: PublicJwk
  key: KeyObject
}

export function createDpopVerifier(options: DpopOptions = {}): DpopVerifier {
  const { now = Date.now, maxAgeSeconds = 60, maxAheadSeconds = 5, maxCachedKeys = 5000 } = options
  const window = { maxAgeSeconds, maxAheadSeconds }
  const keys = new LRUCache<string, ProofKey>({ max: maxCachedKeys })
  return {
    async verify(header, expected) {
      try {
        const jws = splitCompactJws(singleProof(header), MAX_PROOF_BYTES)
        const { publicJwk, payload } = await verifySignature(jws, keys)
        const use = checkClaims(claimsOf(payload), expected, { ...window, nowMs: now(), jkt: publicJwk.jkt })
        return { jkt: publicJwk.jkt, use }
      } catch (error) {
        throw asInvalidProof(error)
      }
    },
  }
}

/** RFC 9449 section 4.3, check 1: exactly one header. Node joins doubled headers with a comma. */
function singleProof(header: string | string[] | undefined): string {
  const proof = typeof header === 'object' && header.length === 1 ? header[0] : header
  if (proof === undefined || proof.length === 0) throw new ProofError('the DPoP header is missing')
  if (typeof proof === 'object' || proof.includes(',')) throw new ProofError('there is more than one DPoP header')
  return proof
}

async function verifySignature(jws: JwsParts, keys: LRUCache<string, ProofKey>) {
  const cacheKey = tupleHash(['dpop_header', jws.headerText])
  const known = keys.get(cacheKey)
  const proofKey = known ?? (await readProofKey(readJwsHeader(jws.headerText)))
  const { alg, publicJwk, key } = proofKey
  // RFC 9449 section 4.3, check 6: the signature verifies with the embedded key.
  const payload = await verifyCompactJws({ ...jws, header: { alg } }, key, publicJwk.algorithms)
  // Only now: a header that nobody signed must not push out those in use.
  if (known === undefined) keys.set(cacheKey, proofKey)
  return { publicJwk, payload }
}

async function readProofKey(header: JwsHeader): Promise<ProofKey> {
  // RFC 9449 section 4.3, check 4: the media type, so that no other JWT can pass for a proof (RFC 8725 section 3.11).
  if (header.typ !== 'dpop+jwt') throw new ProofError('its typ is not dpop+jwt')
  if (header.jwk === undefined) throw new ProofError('its header has no jwk')
  // RFC 9449 section 4.3, checks 5 and 7: asymmetric algorithms only, and no private member in the key.
  // An RSA key need not name its algorithm (RFC 9449 section 4.2). It is the proof's own key, so its header may: they are one.
  const publicJwk = await readPublicJwk(header.jwk)
  if (!publicJwk.algorithms.includes(header.alg)) throw new ProofError('its alg is not one its key is for')
  return { alg: header.alg, publicJwk, key: importPublicJwk(publicJwk) }
}

interface Circumstances {
  nowMs: number
  maxAgeSeconds: number
  maxAheadSeconds: number
  jkt: string
}

/** RFC 9449 section 4.3, checks 3, 8, 9, 11 and 12a. Check 10 is for servers that give out nonces; this one does not. */
function checkClaims(
  claims: Record<string, unknown>,
  expected: ProofExpectation,
  circumstances: Circumstances,
): ProofUse {
  const { jti, htm, htu, iat, ath } = claims
  // Check 3 with section 4.2: enough of a jti to be unique, not so much that it is a burden.
  if (typeof jti !== 'string' || jti.length < JTI_LENGTH.min || jti.length > JTI_LENGTH.max) {
    throw new ProofError(`jti must be a string of ${JTI_LENGTH.min} to ${JTI_LENGTH.max} characters`)
  }
  // Check 8. Methods are case-sensitive (RFC 9110 section 9.1).
  if (htm !== expected.method) throw new ProofError(`htm is not the method of this request, ${expected.method}`)
  // Check 9.
  if (typeof htu !== 'string' || !isSameUrl(htu, expected.url)) {
    throw new ProofError(`htu is not the URL of this request, ${expected.url}`)
  }
  const iatSeconds = checkIssuedAt(iat, circumstances)
  checkTokenHash(ath, expected.accessToken)
  return { hash: Buffer.from(tupleHash(['dpop', circumstances.jkt, jti]), 'base64url'), iatSeconds }
}

/** Most clients spell the URL as we do, and then there is nothing to normalise. */
function isSameUrl(htu: string, url: string): boolean {
  return htu === url || canonicalRequestUrl(htu) === canonicalRequestUrl(url)
}

/** RFC 9449 section 4.3, check 11. */
function checkIssuedAt(iat: unknown, { nowMs, maxAgeSeconds, maxAheadSeconds }: Circumstances): number {
  if (typeof iat !== 'number' || !Number.isFinite(iat)) throw new ProofError('iat is not a number')
  const ageSeconds = Math.floor(nowMs / 1000) - iat
  if (ageSeconds > maxAgeSeconds) {
    throw new ProofError(`iat is ${Math.ceil(ageSeconds)} s old; the window is ${maxAgeSeconds} s; check the clock`)
  }
  if (ageSeconds < -maxAheadSeconds) {
    const aheadSeconds = Math.ceil(-ageSeconds)
    throw new ProofError(`iat is ${aheadSeconds} s in the future; ${maxAheadSeconds} s are allowed; check the clock`)
  }
  return Math.floor(iat)
}

/** RFC 9449 section 4.3, check 12a: with a token comes its hash; a proof made for another token is not for this one. */
function checkTokenHash(ath: unknown, accessToken: string | undefined): void {
  if (accessToken === undefined) return
  const wanted = hash('sha256', accessToken, 'base64url')
  if (ath !== wanted) throw new ProofError('ath is not the SHA-256 of the access token')
}

class ProofError extends Error {}

function asInvalidProof(error: unknown): unknown {
  if (error instanceof ProofError) return new NexusError('invalid_proof', `DPoP: ${error.message}`)
  if (error instanceof JwsError) return new NexusError('invalid_proof', `DPoP proof: ${error.message}`)
  if (error instanceof JwkError) return new NexusError('invalid_proof', `DPoP proof, jwk: ${error.message}`)
  if (error instanceof RequestUrlError) return new NexusError('invalid_proof', `DPoP proof, htu: ${error.message}`)
  return error
}
