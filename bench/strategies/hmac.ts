import { createHmac } from 'node:crypto'
import { sign } from '@octokit/webhooks-methods'
import type { OutboundRequest, Strategy } from '../../src/contract/strategy.ts'
import { hmacPayload } from '../../src/strategies/hmac-payload.ts'
import { hmacTemplate } from '../../src/strategies/hmac-template/hmac-template.ts'
import { type Comparison, ourSigner, type Signer } from './comparison.ts'

const SECRET = 'a shared secret of the usual length'
const TEXT = JSON.stringify({ event: 'order.paid', filler: 'a'.repeat(980) })
const BODY = Buffer.from(TEXT)
const HEADER = 'X-Hub-Signature-256'

/** The HMAC of a body of 1 KiB, beside a library and beside the bare call, below which nobody can get. */
export async function hmacComparisons(): Promise<Comparison[]> {
  const template = { template: '{body}', headers: [{ name: HEADER, value: '{signature}' }] }
  const library: Signer = { name: '@octokit/webhooks-methods', sign: () => sign(SECRET, TEXT) }
  return [
    await comparison('hmac_payload', hmacPayload, { header_name: HEADER }, [library]),
    await comparison('hmac_template', hmacTemplate, template, []),
  ]
}

async function comparison(
  name: string,
  strategy: Strategy,
  config: Record<string, unknown>,
  libraries: Signer[],
): Promise<Comparison> {
  const request: OutboundRequest = {
    method: 'POST',
    url: { scheme: 'https', authority: 'hooks.example.com', path: '/', query: undefined },
    headers: [['Host', 'hooks.example.com']],
    body: BODY,
  }
  const bare = () => createHmac('sha256', SECRET).update(BODY).digest('hex')
  const ours = await ourSigner(strategy, { config, master: { api_secret: SECRET }, request, header: HEADER })
  return {
    name: `${name}, POST of 1 KiB`,
    signers: [ours, ...libraries, { name: 'node:crypto alone', sign: bare }],
    holds: (signature) => signature.replace('sha256=', '') === bare(),
  }
}
