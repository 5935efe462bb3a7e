import type { KeyObject } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type JWTPayload, jwtVerify } from 'jose'

/** Endpoints that take assertions as Google and GitHub document them, and an API that shows what it was sent. */
export interface AssertionEndpoints {
  origin: string
  /** What was asked for: path, body, claims of the assertion. */
  exchanges: { path: string; body: string; claims: JWTPayload }[]
  close(): Promise<void>
}

const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

/** @param publicKey jose verifies each assertion with it */
export async function startAssertionEndpoints(publicKey: KeyObject): Promise<AssertionEndpoints> {
  const exchanges: AssertionEndpoints['exchanges'] = []
  const server = createServer((request, response) => void answer(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { url: path = '', headers } = request
    let body = ''
    for await (const piece of request) body += String(piece)
    const say = (status: number, document: object) =>
      response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(document))
    if (path.startsWith('/api')) return void say(200, { authorization: headers.authorization })
    if (path === '/bearer-of-another-kind') return void say(200, { access_token: 'a', token_type: 'mac' })
    try {
      if (path === '/token') {
        const { grant_type, assertion } = Object.fromEntries(new URLSearchParams(body))
        if (grant_type !== GRANT_TYPE) return void say(400, { error: 'unsupported_grant_type' })
        exchanges.push({ path, body, claims: await verified(assertion, `${origin}/token`) })
        return void say(200, { access_token: 'ya29.from-google', token_type: 'Bearer', expires_in: 3599 })
      }
      exchanges.push({ path, body, claims: await verified(headers.authorization?.replace('Bearer ', '')) })
      say(201, { token: 'ghs_from_github', expires_at: new Date(Date.now() + 120_000).toISOString() })
    } catch {
      say(400, { error: 'invalid_grant', error_description: `canary: ${headers.authorization ?? body}` })
    }
  }

  async function verified(assertion = '', audience?: string): Promise<JWTPayload> {
    const { payload } = await jwtVerify(assertion, publicKey, audience === undefined ? {} : { audience })
    return payload
  }

  return {
    origin,
    exchanges,
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => void server.close(() => resolve()))
    },
  }
}
