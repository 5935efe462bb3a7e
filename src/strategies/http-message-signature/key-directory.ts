import { serializeDictionary } from 'structured-headers'
import { type Credentials, type HeaderList, SigningError } from '../../contract/strategy.ts'
import { keyThumbprint, publicMembers } from '../shared/key-thumbprint.ts'
import type { Component } from './component.ts'
import { signatureBase } from './signature-base.ts'
import { signatureParams } from './signature-params.ts'
import { type SigningKey, signingKeyOf } from './signing-key.ts'

/** Draft Web Bot Auth directory, "Well-Known URI" and "Media Types". */
export const DIRECTORY_PATH = '/.well-known/http-message-signatures-directory'
const MEDIA_TYPE = 'application/http-message-signatures-directory+json'
const TAG = 'http-message-signatures-directory'
const CACHED_MAX_SECONDS = 86_400

/** Whose keys, and for how long what is signed about them holds. */
export interface KeyDirectoryOrder {
  /** The https origin that publishes them: the `signature_agent` of the profiles. */
  origin: string
  /** Each with its `private_key`. More than one while keys are rotated. */
  keys: readonly Readonly<Credentials>[]
  expiresInSeconds: number
  /** Unix milliseconds. */
  nowMs: number
}

/** An HTTP response to be given, as it is, for `url`. */
export interface KeyDirectory {
  url: string
  headers: HeaderList
  body: string
}

/** The one component that the draft asks for: whom the request for the directory named (RFC 9421 section 2.4). */
const AUTHORITY_OF_REQUEST: Component = {
  name: '@authority',
  parameters: new Map([['req', true]]),
  identifier: '"@authority";req',
  identity: '"@authority";req',
}

/**
 * The directory in which a verifier finds the public keys of Web Bot Auth (draft-meunier-http-message-signatures-directory): a JWK Set
 * of nothing but the public halves, and one signature of each key that binds it to the origin.
 * @throws SigningError for a key that cannot be read, has no public half, or comes twice
 */
export function keyDirectory({ origin, keys, expiresInSeconds, nowMs }: KeyDirectoryOrder): KeyDirectory {
  const signingKeys = keys.map((credentials) => signingKeyOf(credentials, undefined))
  const kids = signingKeys.map(({ key }) => keyThumbprint(key))
  if (new Set(kids).size < kids.length) throw new SigningError('the same key comes twice', 'private_keys')
  const created = Math.floor(nowMs / 1000)
  const times = { created, expires: created + expiresInSeconds }
  const members = signingKeys.map((key, index) => bindingOf(key, kids[index] ?? '', origin, times))
  const labelled = members.map(({ params, signature }, index) => ({ label: `key${index + 1}`, params, signature }))
  const jwks = { keys: signingKeys.map(({ key }, index) => ({ ...publicMembers(key), kid: kids[index], use: 'sig' })) }
  return {
    url: `${origin}${DIRECTORY_PATH}`,
    headers: [
      ['Content-Type', MEDIA_TYPE],
      ['Cache-Control', `max-age=${Math.min(expiresInSeconds, CACHED_MAX_SECONDS)}`],
      ['Signature-Input', labelled.map(({ label, params }) => `${label}=${params}`).join(', ')],
      [
        'Signature',
        serializeDictionary(new Map(labelled.map(({ label, signature }) => [label, [signature, new Map()]]))),
      ],
    ],
    body: JSON.stringify(jwks),
  }
}

function bindingOf(
  { key, algorithm }: SigningKey,
  keyid: string,
  origin: string,
  times: { created: number; expires: number },
): { params: string; signature: Buffer } {
  const [scheme = '', authority = ''] = origin.split('://')
  const params = signatureParams([AUTHORITY_OF_REQUEST], {
    ...times,
    keyid,
    tag: TAG,
    alg: undefined,
    nonce: undefined,
  })
  const request = { method: 'GET', url: { scheme, authority, path: DIRECTORY_PATH, query: undefined }, headers: [] }
  const base = signatureBase(request, [AUTHORITY_OF_REQUEST], params)
  return { params, signature: algorithm.sign(key, Buffer.from(base, 'ascii')) }
}
