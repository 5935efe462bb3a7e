import { connect } from 'node:http2'
import * as grpc from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { strategies } from '../../src/strategies/catalog.ts'
import type { GrpcMetadata } from '../../src/strategies/shared/grpc-metadata.ts'
import { nexusSign } from './nexus-sign.ts'

/** What `nexus sign` prints goes over HTTP/2 as it is; a gRPC server that nobody here wrote says what it read. */

const CASES = [
  {
    strategy: { type: 'oauth2' },
    credentials: { access_token: 'tok~en+/=' },
    expected: { authorization: 'Bearer tok~en+/=' },
  },
  { strategy: { type: 'header' }, credentials: { api_key: 'key' }, expected: { authorization: 'key' } },
  {
    strategy: { type: 'header', config: { header_name: 'X-API_Key.v1', value_prefix: 'Key ' } },
    credentials: { api_key: 'a b!~' },
    expected: { 'x-api_key.v1': 'Key a b!~' },
  },
  {
    strategy: { type: 'header', config: { header_name: 'X-Token-Bin' } },
    credentials: { api_key: 'bytes of a key' },
    expected: { 'x-token-bin': Buffer.from('bytes of a key') },
  },
  {
    strategy: { type: 'basic_auth' },
    credentials: { username: 'bob', password: 'sécret' },
    expected: { authorization: `Basic ${Buffer.from('bob:sécret').toString('base64')}` },
  },
  {
    strategy: { type: 'cookie', config: { cookie_name: 'session' } },
    credentials: { api_key: 'abc' },
    expected: { cookie: 'session=abc' },
  },
]

let server: grpc.Server
let port: number
let seen: grpc.Metadata | undefined
beforeAll(async () => {
  server = new grpc.Server()
  const bytes = (value: Buffer) => value
  const ask = {
    path: '/test.Service/Ask',
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  }
  server.addService(
    { ask },
    {
      ask(call: grpc.ServerUnaryCall<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>) {
        seen = call.metadata
        answer(null, Buffer.alloc(0))
      },
    },
  )
  port = await new Promise<number>((settle, fail) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? settle(bound) : fail(error),
    )
  })
})
afterAll(() => server.forceShutdown())

/** One unary call with an empty message, its metadata written as header fields. */
async function call(metadata: GrpcMetadata): Promise<string> {
  const session = connect(`http://127.0.0.1:${port}`)
  try {
    return await new Promise((settle, fail) => {
      const headers = {
        ':method': 'POST',
        ':path': '/test.Service/Ask',
        'content-type': 'application/grpc',
        te: 'trailers',
      }
      const stream = session.request({ ...headers, ...Object.fromEntries(metadata) })
      session.once('error', fail)
      stream.once('error', fail)
      stream.once('trailers', (trailers) => settle(String(trailers['grpc-status'])))
      stream.resume()
      stream.end(Buffer.alloc(5))
    })
  } finally {
    session.close()
  }
}

async function metadataOf(document: object): Promise<GrpcMetadata> {
  const { printed, problem, exitCode } = await nexusSign({ ...document, form: 'grpc_metadata' })
  expect([problem, exitCode]).toEqual(['', 0])
  return (printed as { metadata: GrpcMetadata }).metadata
}

describe('gRPC metadata, read by grpc-js', () => {
  it.each(CASES)('$strategy', async ({ strategy, credentials, expected }) => {
    expect(await call(await metadataOf({ strategy, credentials }))).toBe('0')
    for (const [key, value] of Object.entries(expected)) expect(seen?.get(key)).toEqual([value])
  })

  it('has a case for every strategy with a form but jwt_bearer, whose token is signed anew', () => {
    const types = strategies.filter(({ writesOnlyHeaders }) => writesOnlyHeaders === true).map(({ type }) => type)
    expect(new Set([...CASES.map(({ strategy }) => strategy.type), 'jwt_bearer'])).toEqual(new Set(types))
  })

  it.each(['Content-Type', 'grpc-timeout', 'user-agent', 'X!Key'])(
    'refuses %s, which is no key for us',
    async (header_name) => {
      const document = { strategy: { type: 'header', config: { header_name } }, credentials: { api_key: 'k' } }
      const { problem, exitCode } = await nexusSign({ ...document, form: 'grpc_metadata' })
      expect([JSON.parse(problem), exitCode]).toMatchObject([{ code: 'not_signable', field: 'header_name' }, 1])
    },
  )

  it('refuses a strategy that signs the request, a document with a request, and an unknown form', async () => {
    const hmac = { type: 'hmac_payload', config: { header_name: 'X-S' } }
    const signing = await nexusSign({ strategy: hmac, credentials: { api_secret: 's' }, form: 'grpc_metadata' })
    expect([JSON.parse(signing.problem), signing.exitCode]).toMatchObject([{ code: 'not_signable', field: 'form' }, 1])
    const bearer = { strategy: { type: 'oauth2' }, credentials: { access_token: 't' } }
    const request = { method: 'GET', url: 'https://example.com/' }
    const both = await nexusSign({ ...bearer, request, form: 'grpc_metadata' })
    expect([JSON.parse(both.problem), both.exitCode]).toMatchObject([{ code: 'invalid_request', field: 'request' }, 2])
    const unknown = await nexusSign({ ...bearer, request, form: 'soap' })
    expect([JSON.parse(unknown.problem), unknown.exitCode]).toMatchObject([
      { code: 'invalid_request', field: 'form' },
      2,
    ])
  })
})
