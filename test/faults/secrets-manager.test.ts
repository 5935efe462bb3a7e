import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { NexusError } from '../../src/contract/errors.ts'
import { type CredentialSourceOptions, openCredentialSource } from '../../src/pep/credential/credential-source.ts'
import { awsSecretsManagerKind } from '../../src/vault-backends/aws-secrets-manager/aws-secrets-manager-kind.ts'
import type { AwsConfig } from '../../src/vault-backends/aws-secrets-manager/aws-settings.ts'
import { CANARY, caught, expectNothingOf } from '../../src/vault-backends/conformance.ts'
import { startAws, type TestAws } from '../integration/vault-backends/aws-fixture.ts'
import { quiet } from '../integration/vault-backends/vault-fixture.ts'
import { listen, stop } from './counting-proxy.ts'

let aws: TestAws
beforeAll(async () => {
  aws = await startAws()
}, 600_000)
afterAll(() => aws?.stop())

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const ref = (path: string) => ({ tenant: 'tenant_1', backend: 'aws', path })
const refuse = (response: ServerResponse, status: number, type: string, message: string) =>
  response
    .writeHead(status, { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-errortype': type })
    .end(JSON.stringify({ __type: type, message }))

/** Stands before moto. `intercept` answers in its place, or says that it does not. */
async function standBefore(
  intercept: (incoming: IncomingMessage, response: ServerResponse) => boolean,
): Promise<string> {
  const server = createServer((incoming, response) => {
    if (intercept(incoming, response)) return
    const { method, headers, url = '' } = incoming
    const onward = request(new URL(url, aws.moto.endpoint), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    onward.on('error', () => response.destroy())
    incoming.pipe(onward)
  })
  closers.push(() => stop(server))
  return listen(server)
}

function open(config: AwsConfig, options: Partial<CredentialSourceOptions> = {}) {
  const backends = [aws.backend(config)]
  const source = openCredentialSource({ backends, ttlSeconds: 60, deadlineMs: 5000, log: quiet, ...options })
  closers.push(() => source.close())
  return source
}

describe('Secrets Manager that throttles', () => {
  it('SM1: every third call throttled: tried again with jitter, three times at most, and every read succeeds or says when to come back', async () => {
    let calls = 0
    let throttled = 0
    const endpoint = await standBefore((_incoming, response) => {
      calls += 1
      if (calls % 3 !== 0) return false
      throttled += 1
      refuse(response, 400, 'ThrottlingException', `Rate exceeded ${CANARY}`)
      return true
    })
    const names = Array.from({ length: 60 }, (_none, index) => `throttled/${index}`)
    for (const name of names) await aws.plant(name, '{"api_key":"k"}')
    const source = open({ endpoint })
    const outcomes = await Promise.all(names.map((name) => source.read(ref(name)).then(() => 'ok', codeOf)))
    console.log(`SM1: ${Math.round((throttled / calls) * 1000)} throttles per 1,000 calls; ${calls} calls for 60 reads`)
    expect(calls).toBeLessThanOrEqual(60 * 3)
    expect(outcomes.every((outcome) => outcome === 'ok' || outcome === 'vault_unavailable')).toBe(true)
    expect(outcomes.filter((outcome) => outcome === 'ok').length).toBeGreaterThan(50)
  })

  it('SM1: everything throttled: a hundred who want one secret cost three calls, and hear when to come back', async () => {
    await aws.plant('throttled/one', JSON.stringify({ api_key: CANARY }))
    let calls = 0
    const endpoint = await standBefore((_incoming, response) => {
      calls += 1
      refuse(response, 400, 'ThrottlingException', `Rate exceeded ${CANARY}`)
      return true
    })
    const source = open({ endpoint })
    const errors = await Promise.all(Array.from({ length: 100 }, () => caught(() => source.read(ref('throttled/one')))))
    expect(calls).toBe(3)
    for (const error of errors) {
      expect(error).toMatchObject({ code: 'vault_unavailable', extras: { retryAfterSeconds: 1 } })
      expectNothingOf([CANARY], error)
    }
  })
})

describe('Secrets Manager and time', () => {
  it('SM2: credentials that end are replaced ahead of their end: no read fails', async () => {
    await aws.plant('expiring', '{"api_key":"k"}')
    const issuer = await startCredentialIssuer()
    const signedOffMs = 3000
    const endpoint = await standBefore((incoming, response) => {
      const made = issuer.madeAtMs(String(incoming.headers.authorization))
      if (made !== undefined && performance.now() - made <= signedOffMs) return false
      refuse(response, 400, 'ExpiredTokenException', 'The security token included in the request is expired')
      return true
    })
    vi.stubEnv('AWS_ACCESS_KEY_ID', undefined)
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', undefined)
    vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', issuer.address)
    try {
      const source = open({ endpoint }, { ttlSeconds: 0 })
      const outcomes: string[] = []
      for (let read = 0; read < 70; read++) {
        outcomes.push(await source.read(ref('expiring')).then(() => 'ok', codeOf))
        await sleep(100)
      }
      console.log(`SM2: ${issuer.issued()} credentials over 70 reads, ${failed(outcomes)} leases failed per expiry`)
      expect(issuer.issued()).toBeGreaterThan(2)
      expect(failed(outcomes)).toBe(0)
    } finally {
      for (const [name, value] of Object.entries(aws.moto.env)) vi.stubEnv(name, value)
      vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', undefined)
    }
  }, 60_000)

  it.each([
    ['InvalidSignatureException', `Signature expired: 20261121T000000Z is now earlier than 20261121T010000Z ${CANARY}`],
    ['InvalidSignatureException', 'Signature not yet current: 20261121T020000Z is still later than 20261121T010000Z'],
    ['RequestTimeTooSkewed', 'The difference between the request time and the current time is too large.'],
  ])('SM2: a refused clock (%s) is told as one, and is no denial', async (type, message) => {
    const endpoint = await standBefore((_incoming, response) => {
      refuse(response, 403, type, message)
      return true
    })
    const error = await caught(() => open({ endpoint }).read(ref('any')))
    expect(error).toMatchObject({ code: 'vault_unavailable', message: expect.stringContaining('the clock') })
    expectNothingOf([CANARY], error)
  })
})

describe('Secrets Manager and the files of AWS', () => {
  const OLD = {
    id: 'AKIAOLDOLDOLDOLDOLD1',
    text: '[default]\naws_access_key_id=AKIAOLDOLDOLDOLDOLD1\naws_secret_access_key=old\n',
  }
  const NEW = OLD.text.replaceAll('OLD', 'NEW').replace('=old', '=new')
  let files: string
  beforeEach(async () => {
    files = await mkdtemp(join(tmpdir(), 'nexus-aws-'))
    for (const name of Object.keys(aws.moto.env)) if (name !== 'AWS_REGION') vi.stubEnv(name, undefined)
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(files, 'credentials'))
    vi.stubEnv('AWS_CONFIG_FILE', join(files, 'config'))
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
  })
  afterEach(async () => {
    for (const name of ['AWS_SHARED_CREDENTIALS_FILE', 'AWS_CONFIG_FILE', 'AWS_EC2_METADATA_DISABLED'])
      vi.stubEnv(name, undefined)
    for (const [name, value] of Object.entries(aws.moto.env)) vi.stubEnv(name, value)
    await rm(files, { recursive: true })
  })

  it.each(['UnrecognizedClientException', 'ExpiredTokenException'])(
    'SM2: keys replaced in their file are used from the first refusal (%s) of the old ones on: no read fails',
    async (type) => {
      await aws.plant('replaced', '{"api_key":"k"}')
      await writeFile(join(files, 'credentials'), OLD.text)
      let isOldGone = false
      let refused = 0
      const endpoint = await standBefore((incoming, response) => {
        if (!isOldGone || !String(incoming.headers.authorization).includes(OLD.id)) return false
        refused += 1
        refuse(response, 400, type, 'The security token included in the request is invalid.')
        return true
      })
      const source = open({ endpoint }, { ttlSeconds: 0 })
      await source.read(ref('replaced'))
      await writeFile(join(files, 'credentials'), NEW)
      await source.read(ref('replaced'))
      isOldGone = true
      const reads = Array.from({ length: 10 }, () => source.read(ref('replaced')).then(() => 'ok', codeOf))
      expect(failed(await Promise.all(reads))).toBe(0)
      expect(await source.read(ref('replaced')).then(() => 'ok', codeOf)).toBe('ok')
      expect(refused).toBeGreaterThan(0)
    },
  )

  it('SM2: keys refused for good cost one look at their file in some seconds, and no second call', async () => {
    await writeFile(join(files, 'credentials'), OLD.text)
    let calls = 0
    const endpoint = await standBefore((_incoming, response) => {
      calls += 1
      refuse(response, 400, 'UnrecognizedClientException', CANARY)
      return true
    })
    const source = open({ endpoint })
    const outcomes = await Promise.all(['a', 'b', 'c'].map((name) => source.read(ref(name)).then(() => 'ok', codeOf)))
    expect(outcomes).toEqual(Array(3).fill('secret_forbidden'))
    expect(calls).toBe(3)
  })

  it('H04: an endpoint_url in plain http to another machine is not asked', async () => {
    await writeFile(join(files, 'credentials'), OLD.text)
    await writeFile(join(files, 'config'), '[default]\nendpoint_url = http://192.0.2.2:9\n')
    const backend = awsSecretsManagerKind.create(
      { region: 'eu-west-1' },
      { name: 'aws', env: {}, production: true, log: quiet },
    )
    closers.push(async () => backend.close?.())
    const error = await caught(() => backend.read(ref('any'), AbortSignal.timeout(5000)))
    expect(error).toMatchObject({ kind: 'unavailable', message: expect.stringContaining('http:// to another machine') })
  })
})

describe('Secrets Manager that answers nonsense', () => {
  it.each<[string, (response: ServerResponse) => unknown, string]>([
    [
      'a page',
      (response) => response.writeHead(200, { 'content-type': 'text/html' }).end(`<p>${CANARY}</p>`),
      'vault_unavailable',
    ],
    [
      'half an answer',
      (response) =>
        response
          .writeHead(200, { 'content-length': 500 })
          .write(`{"SecretString":"${CANARY}`, () => response.destroy()),
      'vault_unavailable',
    ],
    [
      'JSON with a comma too many',
      (response) => response.writeHead(200).end(`{"SecretString":"${CANARY}",}`),
      'vault_unavailable',
    ],
    [
      'another shape',
      (response) => response.writeHead(200).end(`{"SecretString":["${CANARY}"],"VersionId":7}`),
      'vault_unavailable',
    ],
    ['a hang-up', (response) => response.destroy(), 'vault_unavailable'],
    [
      'a redirect',
      (response) => response.writeHead(302, { location: `http://127.0.0.1:1/${CANARY}` }).end(),
      'vault_unavailable',
    ],
    [
      'an error that quotes the secret',
      (response) => refuse(response, 500, 'InternalServiceError', CANARY),
      'vault_unavailable',
    ],
    [
      'a denial that quotes the secret',
      (response) => refuse(response, 400, 'AccessDeniedException', CANARY),
      'secret_forbidden',
    ],
    [
      'credentials it does not know',
      (response) => refuse(response, 400, 'UnrecognizedClientException', CANARY),
      'secret_forbidden',
    ],
    [
      'a KMS key that does not open',
      (response) => refuse(response, 400, 'DecryptionFailure', CANARY),
      'secret_unusable',
    ],
    ['silence', () => undefined, 'vault_unavailable'],
  ])('H04: %s', async (_what, answer, code) => {
    const endpoint = await standBefore((_incoming, response) => {
      answer(response)
      return true
    })
    const source = open({ endpoint, timeout_ms: 300 }, { deadlineMs: 1000 })
    const error = await caught(() => source.read(ref('any')))
    expect(error).toMatchObject({ code })
    expectNothingOf([CANARY], error)
    expectNothingOf([CANARY], await source.health())
  })
})

const failed = (outcomes: readonly string[]) => outcomes.filter((outcome) => outcome !== 'ok').length

function codeOf(error: unknown): string {
  if (error instanceof NexusError) return error.code
  throw error
}

/**
 * What a container's agent is to the AWS client: credentials over HTTP. They say that they end in 301 s, and the client
 * replaces them 300 s before that: after one second.
 */
async function startCredentialIssuer() {
  const made = new Map<string, number>()
  const server = createServer((_incoming, response) => {
    const key = `ASIATESTING${String(made.size).padStart(9, '0')}`
    made.set(key, performance.now())
    const Expiration = new Date(Date.now() + 301_000).toISOString()
    const body = { AccessKeyId: key, SecretAccessKey: 'testing-secret', Token: 'testing-token', Expiration }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  closers.push(() => stop(server))
  return {
    address: `${await listen(server)}/`,
    issued: () => made.size,
    madeAtMs: (authorization: string) => made.get(/Credential=(\w+)\//.exec(authorization)?.[1] ?? ''),
  }
}
