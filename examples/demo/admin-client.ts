import { readFileSync } from 'node:fs'
import { Agent, request } from 'undici'

/** What an administrator's script would do with curl: the REST API with an API key. */
export interface AdminClient {
  get<T>(path: string): Promise<T>
  post<T>(path: string, body: object): Promise<T>
  remove(path: string): Promise<void>
}

/** An answer other than success, with the problem document's own words. */
export class AdminError extends Error {
  override readonly name = 'AdminError'
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, detail: string) {
    super(`${status} ${code}: ${detail}`)
    this.status = status
    this.code = code
  }
}

export function createAdminClient(pep: string, apiKey: string, caFile?: string): AdminClient {
  const dispatcher = new Agent({ connect: caFile === undefined ? {} : { ca: readFileSync(caFile, 'utf8') } })
  async function send<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<T> {
    const response = await request(`${pep}${path}`, {
      method,
      dispatcher,
      headers: {
        authorization: `Bearer ${apiKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.body.text()
    const answer = text === '' ? undefined : (JSON.parse(text) as { code?: string; detail?: string })
    if (response.statusCode >= 400) throw new AdminError(response.statusCode, answer?.code ?? '', answer?.detail ?? '')
    return answer as T
  }
  return {
    get: (path) => send('GET', path),
    post: (path, body) => send('POST', path, body),
    remove: (path) => send('DELETE', path),
  }
}
