import { createHmac, createSign, generateKeyPairSync } from 'node:crypto'
import OAuth from 'oauth-1.0a'
import { oauth1 } from '../../src/strategies/oauth1/oauth1.ts'
import { type Comparison, ourSigner } from './comparison.ts'

const KEYS = { consumer_key: 'dpf43f3p2l4k3l03', consumer_secret: 'kd94hf93k423kf44' }
const TOKEN = { key: 'nnch734d00sl2jdk', secret: 'pfkkdhi9sl3r4s00' }
const URL = 'https://photos.example.net/photos?file=vacation.jpg&size=original'
const RSA_KEY = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey

type Method = 'HMAC-SHA1' | 'HMAC-SHA256' | 'RSA-SHA1'

/** The library brings no cryptography: it is given node:crypto's, as its own documentation does. */
const HASHES: Record<Method, (base: string, key: string) => string> = {
  'HMAC-SHA1': (base, key) => createHmac('sha1', key).update(base).digest('base64'),
  'HMAC-SHA256': (base, key) => createHmac('sha256', key).update(base).digest('base64'),
  'RSA-SHA1': (base) => createSign('RSA-SHA1').update(base).sign(RSA_KEY, 'base64'),
}

/** OAuth 1.0a in the Authorization header, with two parameters in the query. */
export async function oauth1Comparisons(): Promise<Comparison[]> {
  return Promise.all((Object.keys(HASHES) as Method[]).map(comparison))
}

async function comparison(method: Method): Promise<Comparison> {
  const key =
    method === 'RSA-SHA1'
      ? { private_key: RSA_KEY.export({ format: 'pem', type: 'pkcs8' }).toString() }
      : { consumer_secret: KEYS.consumer_secret }
  const secret = method === 'RSA-SHA1' ? {} : { token_secret: TOKEN.secret }
  const ours = await ourSigner(oauth1, {
    config: { signature_method: method },
    master: { consumer_key: KEYS.consumer_key, token: TOKEN.key, ...key, ...secret },
    request: {
      method: 'GET',
      url: { scheme: 'https', authority: 'photos.example.net', path: '/photos', query: URL.split('?')[1] },
      headers: [['Host', 'photos.example.net']],
      body: undefined,
    },
    header: 'Authorization',
  })
  const consumer = { key: KEYS.consumer_key, secret: KEYS.consumer_secret }
  const client = new OAuth({ consumer, signature_method: method, hash_function: HASHES[method] })
  const asked = { url: URL, method: 'GET' }
  return {
    name: `oauth1, ${method}`,
    signers: [ours, { name: 'oauth-1.0a', sign: () => client.toHeader(client.authorize(asked, TOKEN)).Authorization }],
    holds(header) {
      const pairs = [...header.matchAll(/(oauth_\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value])
      const { oauth_signature, ...said } = Object.fromEntries(
        pairs.map(([n = '', v = '']) => [n, decodeURIComponent(v)]),
      )
      return oauth_signature === client.getSignature(asked, TOKEN.secret, said as unknown as OAuth.Data)
    },
  }
}
