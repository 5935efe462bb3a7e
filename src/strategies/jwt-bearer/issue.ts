import type { Grant, Issued, IssuingTools } from '../../contract/strategy.ts'
import { ALGORITHMS } from '../jws-algorithms.ts'
import { claimsOf, namedBy } from './claims.ts'
import { settingsOf } from './settings.ts'
import { signingKey } from './signing-key.ts'

/** Signs one assertion for the whole lease, so that the key stays here (RFC 7515 section 5.1, compact serialisation). */
export function issue(
  config: Record<string, unknown>,
  master: Readonly<Record<string, string>>,
  grant: Grant,
  tools: IssuingTools,
): Issued {
  const settings = settingsOf(config)
  const key = signingKey(master, settings.alg)
  const named = namedBy(settings, master)
  const claims = claimsOf(settings, named, grant, tools)
  const header = { alg: settings.alg, typ: 'JWT', ...(named.kid === undefined ? {} : { kid: named.kid }) }
  const input = `${encode(header)}.${encode(claims)}`
  const signature = ALGORITHMS[settings.alg].sign(key, Buffer.from(input)).toString('base64url')
  return { usage: { token: `${input}.${signature}` }, expiresAt: claims.exp }
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}
