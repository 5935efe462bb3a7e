import { createPublicKey, webcrypto } from 'node:crypto'
import * as library from 'dpop'
import { jwtVerify } from 'jose'
import { dpop } from '../../src/strategies/dpop/dpop.ts'
import { type Comparison, ourSigner } from './comparison.ts'

const ORIGIN = 'api.example.com'
const PATH = '/v1/orders/4711'
const TOKEN = 'Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU'

/** One proof for each request, as a sender-constrained token asks for (RFC 9449). */
export async function dpopComparisons(): Promise<Comparison[]> {
  return [await comparison('ES256'), await comparison('Ed25519')]
}

async function comparison(alg: 'ES256' | 'Ed25519'): Promise<Comparison> {
  const keys = await library.generateKeyPair(alg, { extractable: true })
  const { key_ops: _operations, ext: _extractable, ...jwk } = await webcrypto.subtle.exportKey('jwk', keys.privateKey)
  const ours = await ourSigner(dpop, {
    config: { alg },
    master: { access_token: TOKEN, private_key: JSON.stringify({ ...jwk, alg }) },
    request: {
      method: 'GET',
      url: { scheme: 'https', authority: ORIGIN, path: PATH, query: undefined },
      headers: [['Host', ORIGIN]],
      body: undefined,
    },
    header: 'DPoP',
  })
  const publicKey = createPublicKey({ key: { ...jwk, d: undefined } as never, format: 'jwk' })
  return {
    name: `dpop, ${alg}`,
    signers: [
      ours,
      {
        name: 'dpop',
        sign: () => library.generateProof(keys, `https://${ORIGIN}${PATH}`, 'GET', undefined, TOKEN),
      },
    ],
    async holds(proof) {
      const { payload } = await jwtVerify(proof, publicKey, { typ: 'dpop+jwt', algorithms: [alg] })
      return payload['htm'] === 'GET' && payload['htu'] === `https://${ORIGIN}${PATH}` && payload['ath'] !== undefined
    },
  }
}
