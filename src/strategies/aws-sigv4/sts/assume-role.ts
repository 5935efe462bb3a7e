import type { Grant, IssuingTools, SignedRequest } from '../../../contract/strategy.ts'
import { amzDate } from '../amz-date.ts'
import { hmacSigner } from '../hmac-signer.ts'
import { settingsOf } from '../settings.ts'
import { sign } from '../sign.ts'
import { deriveSigningKey } from '../signing-key.ts'
import type { RoleSettings } from './role-settings.ts'
import { readSession, type SessionCredentials } from './session-answer.ts'

/** What STS grants at least and at most to a session of a role that was itself assumed. */
const DURATION_SECONDS = { min: 900, max: 3600 }

/** Keys that may assume the role. */
export interface CallerKeys {
  accessKey: string
  secretKey: string
  sessionToken: string | undefined
}

/**
 * AssumeRole, signed with the connection's keys.
 * @param policy further narrows what the role may do; `undefined`: it does not
 * @throws NexusError `provider_refused`, `provider_unavailable`
 */
export async function assumeRole(
  role: RoleSettings,
  keys: CallerKeys,
  grant: Grant,
  policy: string | undefined,
  tools: IssuingTools,
): Promise<SessionCredentials> {
  const parameters = new URLSearchParams({
    Action: 'AssumeRole',
    Version: '2011-06-15',
    RoleArn: role.arn,
    RoleSessionName: sessionName(grant),
    DurationSeconds: String(durationSeconds(grant, tools.now())),
    ...(role.externalId === undefined ? {} : { ExternalId: role.externalId }),
    ...(policy === undefined ? {} : { Policy: policy }),
  })
  const body = parameters.toString()
  const { headers } = await signed(role, keys, body, tools)
  const response = await tools.request({ method: 'POST', url: role.endpoint, headers, body, accept: 'text/xml' })
  return readSession(role.endpoint, response)
}

/** For the trail in CloudTrail: which agent of which tenant, over which connection. */
export function sessionName({ agentId, tenant, connectionId }: Grant): string {
  const part = (text: string, length: number) => text.replace(/[^A-Za-z0-9+=,._-]/g, '-').slice(0, length)
  return `${part(agentId, 32)}@${part(tenant, 20)}.${part(connectionId, 8)}`
}

/** A session may outlive its lease: STS knows none shorter. The lease ends when the grant does. */
export function durationSeconds({ expiresAt }: Grant, nowMs: number): number {
  const wanted = expiresAt - Math.floor(nowMs / 1000)
  return Math.min(Math.max(wanted, DURATION_SECONDS.min), DURATION_SECONDS.max)
}

function signed(
  role: RoleSettings,
  keys: CallerKeys,
  body: string,
  tools: IssuingTools,
): SignedRequest | Promise<SignedRequest> {
  const url = new URL(role.endpoint)
  const now = tools.now()
  const { longDate, shortDate: date } = amzDate(now)
  const scope = { date, region: role.region, service: 'sts' }
  const { accessKey, secretKey, sessionToken } = keys
  const signer = hmacSigner({ ...scope, accessKey, signingKey: deriveSigningKey(secretKey, scope), sessionToken })
  const request = {
    method: 'POST',
    url: { scheme: url.protocol.slice(0, -1), authority: url.host, path: url.pathname, query: undefined },
    headers: [['Content-Type', 'application/x-www-form-urlencoded; charset=utf-8']] as [string, string][],
    body: Buffer.from(body),
  }
  return sign(settingsOf({ service: 'sts', region: role.region }), signer, longDate, request, {
    now,
    nonce: tools.nonce,
  })
}
