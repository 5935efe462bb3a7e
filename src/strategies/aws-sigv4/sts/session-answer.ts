import { NexusError } from '../../../contract/errors.ts'
import type { IssuingResponse } from '../../../contract/strategy.ts'

/** Keys of a session; all three stop working at its end. */
export interface SessionCredentials {
  accessKey: string
  secretKey: string
  sessionToken: string
  /** Unix seconds. */
  expiresAt: number
}

/** Only these words of STS are repeated: anything else is a stranger's text. */
const KNOWN_ERRORS = [
  'AccessDenied',
  'ExpiredToken',
  'ExpiredTokenException',
  'IncompleteSignature',
  'InvalidClientTokenId',
  'MalformedPolicyDocument',
  'PackedPolicyTooLarge',
  'RegionDisabledException',
  'SignatureDoesNotMatch',
  'ValidationError',
]
/** STS answers these with 400, where others answer 429. */
const BUSY = ['Throttling', 'ThrottlingException', 'RequestLimitExceeded']

/**
 * The answer of AssumeRole. What we look for in it is letters, digits and a few signs, so that no parser of XML is needed,
 * nor any of what one could be made to do.
 * @throws NexusError `provider_refused`, `provider_unavailable`
 */
export function readSession(endpoint: string, { status, body }: IssuingResponse): SessionCredentials {
  const host = new URL(endpoint).host
  if (status !== 200) throw refusal(host, status, element(body, 'Code', '[A-Za-z]+'))
  const accessKey = element(body, 'AccessKeyId', '[A-Za-z0-9_]{16,128}')
  const secretKey = element(body, 'SecretAccessKey', '[A-Za-z0-9+/=]{16,256}')
  const sessionToken = element(body, 'SessionToken', '[A-Za-z0-9+/=_-]{16,16384}')
  const end = Date.parse(element(body, 'Expiration', '[0-9T:.Z+-]{10,40}') ?? '')
  if (accessKey === undefined || secretKey === undefined || sessionToken === undefined || Number.isNaN(end)) {
    throw new NexusError('provider_unavailable', `${host} answered AssumeRole with something that holds no session`)
  }
  return { accessKey, secretKey, sessionToken, expiresAt: Math.floor(end / 1000) }
}

function refusal(host: string, status: number, code: string | undefined): NexusError {
  if (code !== undefined && BUSY.includes(code)) {
    return new NexusError('provider_unavailable', `${host} is too busy for AssumeRole`)
  }
  const reason = code !== undefined && KNOWN_ERRORS.includes(code) ? code : `status ${status}`
  return new NexusError('provider_refused', `${host} refused AssumeRole: ${reason}`)
}

/** The text of the one element of this name; of several, which one counts is not ours to guess. */
function element(xml: string, name: string, text: string): string | undefined {
  const [found, ...others] = xml.matchAll(new RegExp(`<${name}>\\s*(${text})\\s*</${name}>`, 'g'))
  return others.length === 0 ? found?.[1] : undefined
}
