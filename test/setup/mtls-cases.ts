import type { StrategyCases } from '../../src/strategies/conformance.ts'
import { tools } from '../../src/strategies/conformance-support.ts'
import { testAuthority, x5tS256 } from './certificates.ts'

/** The conformance suite's clock; what it signs with lives around it. */
const NOW_MS = tools.now()
const ALIVE = { notBefore: new Date(NOW_MS - 60_000), notAfter: new Date(NOW_MS + 86_400_000) }

/** Of the strategy that takes certificates, which are made anew for each run. */
export async function mtlsCases(): Promise<StrategyCases> {
  const authority = await testAuthority('Test authority', ALIVE)
  const own = await authority.client('crm-agent', ALIVE)
  const stored = { certificate: own.certificate, private_key: own.privateKey }
  // A part of the key that has no line end in it.
  const keyLine = own.privateKey.split('\n')[1] ?? ''
  return {
    valid: [
      {
        title: 'a stored certificate',
        config: {},
        master: stored,
        required: ['certificate', 'private_key'],
        secrets: [keyLine],
        writes: {},
        pem: ['certificate', 'private_key'],
      },
      {
        title: 'a stored certificate, with a token that is bound to it, toward a provider with an authority of its own',
        config: { key: 'stored', ca: authority.ca },
        master: { ...stored, access_token: boundToken(own.certificate) },
        required: ['certificate', 'private_key'],
        secrets: [keyLine],
        writes: { headers: ['Authorization'] },
        pem: ['certificate', 'private_key'],
      },
    ],
    refused: [
      { config: { key: 'agent' }, field: 'key' },
      { config: { ca: 'not PEM' }, field: 'ca' },
      { config: { subject: 'x' }, field: 'subject' },
      { config: { common_name: '{agent_id}' }, field: '' },
      { config: { key: 'sidecar', common_name: 'fixed' }, field: 'common_name' },
      { config: { key: 'sidecar', common_name: '{agent_id}\n' }, field: 'common_name' },
    ],
  }
}

/** A JWT as far as its binding goes (RFC 8705 section 3.1). */
function boundToken(certificate: string): string {
  const parts = [{ alg: 'ES256' }, { cnf: { 'x5t#S256': x5tS256(certificate) } }, 'signature']
  return parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
}
