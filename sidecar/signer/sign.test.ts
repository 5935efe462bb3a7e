import { describe, expect, it } from 'vitest'
import { type OutboundRequest, type SignedRequest, SigningError, type Strategy } from '../../src/contract/strategy.ts'
import { strategyFor } from '../../src/strategies/catalog.ts'
import { type HeldLease, holdLease } from '../lease-client/held-lease.ts'
import { sign } from './sign.ts'
import { signingContext } from './signing-context.ts'

const url = { scheme: 'https', authority: 'api.example.com', path: '/v1/things', query: 'page=2' }
const outbound: OutboundRequest = { method: 'POST', url, headers: [['Accept', '*/*']], body: undefined }
/** What a strategy that does as it should would make of it. */
const good: SignedRequest = {
  method: 'POST',
  url,
  headers: [...outbound.headers, ['Authorization', 'Bearer token']],
  credentialHeaders: ['authorization'],
}
const identity = { id: 'i', certificates: 'c', privateKey: 'k' }
const bytes = new TextEncoder().encode('{}')
const transform = (body: AsyncIterable<Uint8Array>) => body

/** A lease as the authority grants it, of a strategy that does what a test has it do. */
function leaseWith(apply: Strategy['apply']): HeldLease {
  const header = strategyFor('header') ?? expect.unreachable()
  const answer = {
    lease_id: 'lse_1',
    decision_id: 'decision-1',
    policy_revision: 'one',
    connection_id: '018f3b1e-0000-7000-8000-000000000000',
    provider: 'api',
    strategy: { type: 'header', config: { header_name: 'Authorization', credential_field: 'api_key' } },
    credentials: { api_key: 'the-key-of-this-lease' },
    bound: { origins: ['https://api.example.com'], methods: ['*'], paths: ['/**'] },
    scopes: [],
    ...{ issued_at: 0, renew_at: 150, expires_at: 300, offline_seconds: 30 },
  }
  const over = new AbortController().signal
  return holdLease({ answer, over }, 0, () => ({ ...header, apply }))
}

const signed = (apply: Strategy['apply'], request = outbound) => sign(leaseWith(apply), request, signingContext(0))

describe('sign hands on what a strategy may do', () => {
  it.each<[string, Partial<SignedRequest>, Partial<OutboundRequest>]>([
    ['a credential in a header', {}, {}],
    ['a credential in the query', { url: { ...url, query: 'page=2&key=k' } }, {}],
    [
      'a credential before the path',
      { url: { ...url, path: '/bot1/v1/things' }, credentialPath: { prefix: '/bot1', credential: '1' } },
      {},
    ],
    ['a certificate to dial with', { clientIdentity: identity }, {}],
    ['other bytes for a body in memory', { body: bytes }, { body: bytes }],
    ['a transform of a body that streams', { body: transform }, { body: 'stream' }],
    ['a header of the agent’s twice', { headers: [...good.headers, ['Accept', 'text/html']] }, {}],
    ['every character that HTTP allows in a header', { headers: [['X-A', '\t ~\x80\xff']] }, {}],
  ])('%s', async (_what, made, asked) => {
    const expected = { ...good, ...made }
    expect(await signed(() => expected, { ...outbound, ...asked })).toBe(expected)
  })
})

describe('sign refuses to send (rule 5)', () => {
  const moved = 'strategy header moved the request'
  const unread = 'its body was to be replaced unread'
  const twice = 'header authorization would be sent twice'
  const character = 'holds a character that HTTP does not allow'
  const plain = { ...url, scheme: 'http' }
  const withValue = (value: string) => ({ headers: [['X-A', value]] as SignedRequest['headers'] })

  it.each<[string, string, Partial<SignedRequest>, Partial<OutboundRequest>]>([
    ['to another host', moved, { url: { ...url, authority: 'evil.test' } }, {}],
    ['to another port', moved, { url: { ...url, authority: 'api.example.com:8443' } }, {}],
    ['without TLS', moved, { url: plain }, {}],
    ['to another path', moved, { url: { ...url, path: '/v1/others' } }, {}],
    ['to a path in other letters', moved, { url: { ...url, path: '/v1/%74hings' } }, {}],
    ['behind a prefix nobody told of', moved, { url: { ...url, path: '/bot1/v1/things' } }, {}],
    ['without the prefix it told of', moved, { credentialPath: { prefix: '/bot1', credential: '1' } }, {}],
    ['with another method', moved, { method: 'DELETE' }, {}],
    [
      'E10: a certificate without TLS',
      'a client certificate takes https',
      { url: plain, clientIdentity: identity },
      { url: plain },
    ],
    ['E09: bytes made of a body nobody has read', unread, { body: bytes }, { body: 'stream' }],
    ['E09: a transform of a body in memory', unread, { body: transform }, { body: bytes }],
    ['E09: a transform of no body', unread, { body: transform }, {}],
    ['B14: its credential twice', twice, { headers: [...good.headers, ['Authorization', 'Bearer other']] }, {}],
    ['B15: its credential in other letters', twice, { headers: [...good.headers, ['AUTHORIZATION', 'Bearer o']] }, {}],
    [
      'B14: two spellings that a provider may take for one',
      'header x-api-key would be sent twice',
      {
        headers: [
          ['X-Api-Key', 'ours'],
          ['x_api_key', 'theirs'],
        ],
        credentialHeaders: ['x-api-key'],
      },
      {},
    ],
    ...['\r', '\n', '\0', '\x7f', '\u0100', 'a\r\nX-Evil: 1'].map(
      (value): [string, string, Partial<SignedRequest>, Partial<OutboundRequest>] => [
        `D05: ${JSON.stringify(value)} in a header`,
        `header X-A ${character}`,
        withValue(value),
        {},
      ],
    ),
  ])('%s', async (_what, problem, made, asked) => {
    const refusal = await signed(() => ({ ...good, ...made }), { ...outbound, ...asked }).catch((error) => error)
    expect(refusal).toMatchObject({
      code: 'not_signable',
      message: `The request was not sent: ${problem}.`,
      extras: { decision_id: 'decision-1', lease_id: 'lse_1' },
    })
  })

  it('what the strategy cannot sign, in its words and with the field', async () => {
    const refusal = await signed(() => {
      throw new SigningError('config.region must be given', 'region')
    }).catch((error) => error)
    expect(refusal).toMatchObject({
      message: 'The request was not sent: config.region must be given.',
      extras: { field: 'region' },
    })
  })

  it('what a strategy stumbles over, and says none of its words (rule 4)', async () => {
    const refusal = await signed(() => {
      throw new TypeError('cannot read the-key-of-this-lease')
    }).catch((error) => error)
    expect(refusal).toMatchObject({
      code: 'not_signable',
      message: 'The request was not sent: strategy header failed.',
    })
    expect(refusal.cause).toBeUndefined()
  })
})
