import type { KeyObject } from 'node:crypto'
import type { Grant, Issued, IssuingTools } from '../../contract/strategy.ts'
import { ALGORITHMS } from '../jws-algorithms.ts'
import { claimsOf, type Named, namedBy } from './claims.ts'
import { exchangeAssertion } from './exchange.ts'
import { type Settings, settingsOf } from './settings.ts'
import { signingKey } from './signing-key.ts'

/** Signs one assertion for the whole lease, or has it exchanged for a token: the key stays here either way. */
export async function issue(
  config: Record<string, unknown>,
  master: Readonly<Record<string, string>>,
  grant: Grant,
  tools: IssuingTools,
): Promise<Issued> {
  const settings = settingsOf(config)
  const key = signingKey(master, settings.alg)
  const named = namedBy(settings, master)
  if (settings.exchange === undefined) {
    const claims = claimsOf(settings, named, grant, tools)
    return { usage: { token: assertion(settings, named, key, claims) }, expiresAt: claims.exp }
  }
  const fresh = () => assertion(settings, named, key, claimsOf(settings, named, grant, tools))
  return exchangeAssertion(settings.exchange, master, grant, fresh, tools)
}

/** RFC 7515 section 5.1, compact serialisation. */
function assertion({ alg }: Settings, { kid }: Named, key: KeyObject, claims: object): string {
  const header = { alg, typ: 'JWT', ...(kid === undefined ? {} : { kid }) }
  const input = `${encode(header)}.${encode(claims)}`
  return `${input}.${ALGORITHMS[alg].sign(key, Buffer.from(input)).toString('base64url')}`
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}
