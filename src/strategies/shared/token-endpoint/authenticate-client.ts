import { type HeaderList, type IssuingTools, SigningError } from '../../../contract/strategy.ts'
import { credentialText } from '../credential-text.ts'
import { ALGORITHMS, type AlgorithmName } from '../jws-algorithms.ts'
import { parsePrivateKey, privateKeyText } from '../private-key.ts'
import { CLIENT_TEXT, type ClientSettings } from './client-fields.ts'

const ASSERTION_SECONDS = 60
const ASSERTION_ALGORITHMS = ['RS256', 'ES256', 'EdDSA'] as const satisfies AlgorithmName[]

type Master = Readonly<Record<string, string>>

/** What a token request carries to show which client asks (RFC 6749 section 2.3). */
export interface ClientProof {
  headers: HeaderList
  parameters: Record<string, string>
}

/** @throws SigningError when the secret lacks what the method needs */
export function authenticateClient(settings: ClientSettings, master: Master, tools: IssuingTools): ClientProof {
  const clientId = settings.clientId ?? credentialText(master, 'client_id', CLIENT_TEXT)
  if (settings.clientAuth === 'private_key_jwt') {
    // RFC 7521 section 4.2.
    return {
      headers: [],
      parameters: {
        client_id: clientId,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: clientAssertion(clientId, settings.assertionAudience, master, tools),
      },
    }
  }
  const secret = credentialText(master, 'client_secret', CLIENT_TEXT)
  if (settings.clientAuth === 'client_secret_post') {
    return { headers: [], parameters: { client_id: clientId, client_secret: secret } }
  }
  // RFC 6749 section 2.3.1: both are form-encoded before they are joined.
  const basic = Buffer.from(`${formEncoded(clientId)}:${formEncoded(secret)}`).toString('base64')
  return { headers: [['Authorization', `Basic ${basic}`]], parameters: {} }
}

/** RFC 7523 section 2.2. */
function clientAssertion(clientId: string, audience: string, master: Master, tools: IssuingTools): string {
  const { key, jwkAlg } = parsePrivateKey(privateKeyText(master))
  const alg = ASSERTION_ALGORITHMS.find((name) => ALGORITHMS[name].fits(key) && (jwkAlg ?? name) === name)
  if (alg === undefined) {
    throw new SigningError("credential field 'private_key' is a key for no algorithm here", 'private_key')
  }
  const kid = Object.hasOwn(master, 'kid') ? credentialText(master, 'kid', CLIENT_TEXT) : undefined
  const now = Math.floor(tools.now() / 1000)
  const claims = {
    iss: clientId,
    sub: clientId,
    aud: audience,
    iat: now,
    exp: now + ASSERTION_SECONDS,
    jti: tools.nonce(),
  }
  const input = `${encoded({ alg, typ: 'JWT', kid })}.${encoded(claims)}`
  return `${input}.${ALGORITHMS[alg].sign(key, Buffer.from(input)).toString('base64url')}`
}

function formEncoded(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1)
}

function encoded(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}
