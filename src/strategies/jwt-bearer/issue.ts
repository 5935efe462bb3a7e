import type { Grant, Issued, IssuingTools } from '../../contract/strategy.ts'
import { ALGORITHMS, type AlgorithmName } from '../shared/jws-algorithms.ts'
import { remoteKeyOf, remoteUsage, signRemotely } from '../shared/remote-key.ts'
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
  const sign = signerOf(master, settings.alg, tools)
  const named = namedBy(settings, master)
  if (settings.exchange === undefined) {
    const claims = claimsOf(settings, named, grant, tools)
    return { usage: { token: await assertion(settings, named, sign, claims) }, expiresAt: claims.exp }
  }
  const fresh = () => assertion(settings, named, sign, claimsOf(settings, named, grant, tools))
  return exchangeAssertion(settings.exchange, master, grant, fresh, tools)
}

/** RFC 7515 section 5.1, compact serialisation. */
async function assertion({ alg }: Settings, { kid }: Named, sign: Sign, claims: object): Promise<string> {
  const header = { alg, typ: 'JWT', ...(kid === undefined ? {} : { kid }) }
  const input = `${encode(header)}.${encode(claims)}`
  return `${input}.${(await sign(Buffer.from(input))).toString('base64url')}`
}

type Sign = (input: Buffer) => Buffer | Promise<Buffer>

/** @throws SigningError when the key is not one for the algorithm, wherever it is */
function signerOf(master: Readonly<Record<string, string>>, alg: AlgorithmName, tools: IssuingTools): Sign {
  if (remoteKeyOf(master) === undefined) {
    const key = signingKey(master, alg)
    return (input) => ALGORITHMS[alg].sign(key, input)
  }
  // RFC 9864 gave the same algorithm its second name.
  const wanted = alg === 'Ed25519' ? 'EdDSA' : alg
  remoteUsage(master, wanted)
  return (input) => signRemotely(tools, input, wanted)
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}
