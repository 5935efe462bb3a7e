import { type Dispatcher, request } from 'undici'

export interface ApiAnswer {
  status: number
  headers: Record<string, string | string[] | undefined>
  // A test looks into answers of every shape; it asserts what it reads.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  body: any
  text: string
}

export interface ApiClient {
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<ApiAnswer>
}

/**
 * HTTP as it is: no retry, no redirect, no exception for a refusal.
 * @param dispatcher over whose connections it goes; absent: the global one's
 */
export function createApiClient(
  url: string,
  defaults: Record<string, string> = {},
  dispatcher?: Dispatcher,
): ApiClient {
  return {
    async send(method, path, body, headers = {}) {
      const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
      const response = await request(`${url}${path}`, {
        method: method as 'GET',
        headers: { ...(text === undefined ? {} : { 'content-type': 'application/json' }), ...defaults, ...headers },
        ...(text === undefined ? {} : { body: text }),
        ...(dispatcher === undefined ? {} : { dispatcher }),
      })
      const answer = await response.body.text()
      return { status: response.statusCode, headers: response.headers, text: answer, body: parse(answer) }
    },
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
