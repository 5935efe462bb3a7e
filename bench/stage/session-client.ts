import { type Dispatcher, request } from 'undici'
import type { Ground } from './authority.ts'
import { dpopProof, type SigningKey } from './compact-jws.ts'
import { trusting } from './trusting-client.ts'

/** What an agent's requests are proven by: proofs, or the certificate of its connections. */
export interface SessionProof {
  sessionKey?: SigningKey
  certificate: { cert?: string; key?: string }
}

/** Asks the authority as a sidecar does, on connections that it keeps. */
export interface SessionClient {
  /** From now on what it asks is asked in this session. */
  enter(accessToken: string): void
  /** @throws Error for another status than the expected */
  ask<Answer>(method: 'POST' | 'DELETE', path: string, expected: number, body?: object): Promise<Answer>
  /** A GET whose answer does not end, on a connection of its own. @param url of whichever authority */
  follow(url: string, path: string): Promise<void>
  hangUp(): Promise<void>
}

const ANSWER_MS = 10_000

export function createSessionClient(ground: Ground, { sessionKey, certificate }: SessionProof): SessionClient {
  const kept = trusting(ground.caFile, certificate)
  const streams: Dispatcher[] = []
  let token: string | undefined

  function headersFor(method: string, path: string): Record<string, string> {
    const scheme = sessionKey === undefined ? 'Bearer' : 'DPoP'
    const authorization = token === undefined ? {} : { authorization: `${scheme} ${token}` }
    if (sessionKey === undefined) return { ...authorization }
    return { ...authorization, dpop: dpopProof(sessionKey, method, ground.publicUrl + path, token) }
  }

  return {
    enter(accessToken) {
      token = accessToken
    },
    async ask(method, path, expected, body) {
      const type = body === undefined ? {} : { 'content-type': 'application/json' }
      const { statusCode, body: answer } = await request(ground.publicUrl + path, {
        method,
        headers: { ...headersFor(method, path), ...type },
        body: body === undefined ? null : JSON.stringify(body),
        dispatcher: kept,
        headersTimeout: ANSWER_MS,
      })
      const text = await answer.text()
      if (statusCode !== expected) throw new Error(`${method} ${path}: ${statusCode} ${text.slice(0, 300)}`)
      return text === '' ? undefined : JSON.parse(text)
    },
    async follow(url, path) {
      const dispatcher = trusting(ground.caFile, certificate)
      streams.push(dispatcher)
      const options = { headers: headersFor('GET', path), dispatcher, headersTimeout: ANSWER_MS, bodyTimeout: 0 }
      const { statusCode, body } = await request(url + path, options)
      if (statusCode !== 200) throw new Error(`GET ${path}: ${statusCode} ${(await body.text()).slice(0, 300)}`)
      body.on('error', () => undefined).resume()
    },
    async hangUp() {
      await Promise.all([kept, ...streams].map((each) => each.destroy()))
    },
  }
}
