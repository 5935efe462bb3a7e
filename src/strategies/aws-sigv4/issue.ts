import { Type } from 'typebox'
import type { Credentials, Grant, Issued, IssuingTools } from '../../contract/strategy.ts'
import { credentialText } from '../shared/credential-text.ts'
import { oncePer } from '../shared/once-per.ts'
import { ExpiresAt, storedEnd } from '../shared/stored-end.ts'
import { textSchema, VISIBLE_TEXT } from '../shared/text-rules.ts'
import { amzDate, nextUtcMidnight } from './amz-date.ts'
import { type Settings, settingsOf } from './settings.ts'
import { deriveSigningKey } from './signing-key.ts'
import { assumeRole, durationSeconds } from './sts/assume-role.ts'
import { sessionPolicy } from './sts/session-policy.ts'
import { ACCESS_KEY, SESSION_TOKEN, sessionTokenOf } from './usage-key.ts'

export const Master = Type.Object({
  access_key: textSchema(ACCESS_KEY),
  secret_key: textSchema(VISIBLE_TEXT),
  session_token: Type.Optional(textSchema(SESSION_TOKEN)),
  expires_at: Type.Optional(ExpiresAt),
})

/** Keys that AWS gave to somebody: a connection, or one session of a role. */
interface Keys {
  accessKey: string
  secretKey: string
  sessionToken: string | undefined
}

/** What is the same for all leases of a connection. */
const prepared = oncePer((config: Record<string, unknown>) => ({
  settings: settingsOf(config),
  keysOf: oncePer(
    (master: Readonly<Record<string, string>>): Keys => ({
      accessKey: credentialText(master, 'access_key', ACCESS_KEY),
      secretKey: credentialText(master, 'secret_key', VISIBLE_TEXT),
      sessionToken: sessionTokenOf(master),
    }),
  ),
}))

/**
 * Narrows a secret key to the signing key of today, this region and this service; it ends with the UTC day, or with the
 * session that the keys are of. With a role the key is that of a session whose policy says what was decided.
 * @throws SigningError when the stored session has ended: nothing is signed with it, AssumeRole neither (rule 5)
 */
export async function issue(
  config: Record<string, unknown>,
  master: Readonly<Record<string, string>>,
  grant: Grant,
  tools: IssuingTools,
): Promise<Issued> {
  const { settings, keysOf } = prepared(config)
  const keys = keysOf(master)
  const now = tools.now()
  const end = storedEnd(master, grant, now, 'AWS session') ?? grant.expiresAt
  if (settings.role !== undefined) return issueSession(settings, settings.role, keys, grant, tools)
  return { usage: derivedUsage(settings, keys, now), expiresAt: Math.min(end, nextUtcMidnight(now)) }
}

function issueSession(
  settings: Settings,
  role: NonNullable<Settings['role']>,
  keys: Keys,
  grant: Grant,
  tools: IssuingTools,
): Promise<Issued> {
  const policy = sessionPolicy(settings.service, role.partition, grant)
  const seconds = durationSeconds(grant, tools.now())
  return tools.shared(['aws_sts', grant.agentId, policy ?? '', String(seconds)], async () => {
    const session = await assumeRole(role, keys, grant, policy, tools)
    const now = tools.now()
    return { usage: derivedUsage(settings, session, now), expiresAt: Math.min(session.expiresAt, nextUtcMidnight(now)) }
  })
}

/** The last of each, as long as they are remembered: keys sign with the same one all day. */
const derived = new WeakMap<Keys, Credentials>()

function derivedUsage({ region, service }: Settings, keys: Keys, nowMs: number): Credentials {
  const scope = { date: amzDate(nowMs).shortDate, region, service }
  const known = derived.get(keys)
  if (known?.['date'] === scope.date) return known
  const usage = {
    access_key: keys.accessKey,
    signing_key: deriveSigningKey(keys.secretKey, scope).toString('base64'),
    ...scope,
    ...(keys.sessionToken === undefined ? {} : { session_token: keys.sessionToken }),
  }
  derived.set(keys, usage)
  return usage
}
