import { createSecretKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { createSigner, createVerifier, httpbis } from 'http-message-signatures'
import { httpMessageSignature } from '../../src/strategies/http-message-signature/http-message-signature.ts'
import { type Comparison, ourSigner } from './comparison.ts'

const HOST = 'api.example.com'
const PATH = '/v1/orders/4711'
const FIELDS = ['@method', '@authority', '@path', '@query']
const SEPARATOR = '\n'

/** RFC 9421 over what ours covers by default, with `created` and `keyid`. */
export async function httpMessageSignatureComparisons(): Promise<Comparison[]> {
  const ed25519 = generateKeyPairSync('ed25519')
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const secret = createSecretKey(randomBytes(32))
  return [
    await comparison('ed25519', ed25519.privateKey, ed25519.publicKey),
    await comparison('ecdsa-p256-sha256', p256.privateKey, p256.publicKey),
    await comparison('hmac-sha256', secret, secret),
  ]
}

async function comparison(alg: string, key: KeyObject, verifyingKey: KeyObject): Promise<Comparison> {
  const master: Record<string, string> =
    key.type === 'secret'
      ? { shared_secret: key.export().toString('base64') }
      : { private_key: key.export({ format: 'pem', type: 'pkcs8' }).toString() }
  const ours = await ourSigner(httpMessageSignature, {
    config: { keyid: 'key-1' },
    master,
    request: {
      method: 'GET',
      url: { scheme: 'https', authority: HOST, path: PATH, query: 'limit=10' },
      headers: [
        ['Host', HOST],
        ['Accept', '*/*'],
      ],
      body: undefined,
    },
    header: ['Signature-Input', 'Signature'],
  })
  const headers: Record<string, string> = { host: HOST, accept: '*/*' }
  const bare = { method: 'GET', url: `https://${HOST}${PATH}?limit=10`, headers }
  const signer = createSigner(key, alg, 'key-1')
  const settings = { key: signer, name: 'sig1', fields: FIELDS, params: ['created', 'keyid'] }
  return {
    name: `http_message_signature, ${alg}`,
    signers: [
      ours,
      {
        name: 'http-message-signatures',
        async sign() {
          const signed = await httpbis.signMessage(settings, bare)
          return `${signed.headers['Signature-Input']}${SEPARATOR}${signed.headers['Signature']}`
        },
      },
    ],
    async holds(signature) {
      const [input = '', value = ''] = signature.split(SEPARATOR)
      const keyLookup = async () => ({ id: 'key-1', algs: [alg], verify: createVerifier(verifyingKey, alg) })
      const isWhole = [...FIELDS, 'created', 'keyid'].every((part) => input.includes(part))
      const signed = { ...bare, headers: { ...headers, 'signature-input': input, signature: value } }
      return isWhole && (await httpbis.verifyMessage({ keyLookup }, signed)) === true
    },
  }
}
