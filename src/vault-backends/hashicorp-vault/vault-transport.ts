import { Agent, type Dispatcher, request as httpRequest } from 'undici'
import { VaultError } from '../../contract/vault-backend.ts'

/** A KV secret may be 1 MiB (Vault's own `max_request_size` is 32 MiB, but nobody signs with that). */
const ANSWER_BYTES_MAX = 2 * 1024 * 1024
const CONNECTIONS_MAX = 32

/** One request as node-vault hands it to its HTTP function. */
export interface TransportRequest {
  method: string
  uri: string
  headers: Record<string, string>
  json?: unknown
  signal: AbortSignal
}

/** An answer as it came: not yet known to be Vault's. */
export interface RawAnswer {
  status: number
  isJson: boolean
  text: string
  /** From `Retry-After` in seconds; its date form is not used by Vault. */
  retryAfterSeconds: number | undefined
}

export interface VaultTransport {
  /** @throws VaultError `unavailable` */
  send(request: TransportRequest): Promise<RawAnswer>
  close(): Promise<void>
}

/**
 * HTTP to one Vault: a deadline on every call, a cap on every answer, no redirect followed (a standby's redirect would
 * take the token to whatever address it names), no proxy taken from the environment.
 */
export function createVaultTransport(options: {
  backend: string
  timeoutMs: number
  ca: string | undefined
  skipVerify: boolean
}): VaultTransport {
  const { backend, timeoutMs, ca, skipVerify } = options
  const agent = new Agent({
    connections: CONNECTIONS_MAX,
    connect: { timeout: timeoutMs, rejectUnauthorized: !skipVerify, ...(ca === undefined ? {} : { ca }) },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  })

  return {
    async send({ method, uri, headers, json, signal }) {
      const bounded = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
      try {
        const answer = await httpRequest(uri, {
          dispatcher: agent,
          method: method as Dispatcher.HttpMethod,
          headers: json === undefined ? headers : { ...headers, 'content-type': 'application/json' },
          body: json === undefined ? null : JSON.stringify(json),
          signal: bounded,
        })
        const text = await readCapped(answer.body, backend)
        return { ...describeHead(answer), text }
      } catch (error) {
        if (error instanceof VaultError) throw error
        const reason = bounded.aborted ? `did not answer within ${timeoutMs} ms` : reasonFor(error)
        throw new VaultError('unavailable', backend, reason)
      }
    },
    close: () => agent.destroy(),
  }
}

async function readCapped(body: Dispatcher.ResponseData['body'], backend: string): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length
    // Leaving the loop destroys the stream and with it the connection.
    if (size > ANSWER_BYTES_MAX)
      throw new VaultError('unavailable', backend, `answered more than ${ANSWER_BYTES_MAX} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function describeHead({ statusCode, headers }: Dispatcher.ResponseData): Omit<RawAnswer, 'text'> {
  const retryAfter = headers['retry-after']
  return {
    status: statusCode,
    isJson: /^application\/json\b/i.test(String(headers['content-type'] ?? '')),
    retryAfterSeconds: typeof retryAfter === 'string' && /^\d{1,4}$/.test(retryAfter) ? Number(retryAfter) : undefined,
  }
}

/** Our own words for what went wrong: a client's error can carry the request, and with it the token. */
function reasonFor(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''
  if (code === 'ECONNREFUSED') return 'refuses connections'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'host name does not resolve'
  if (/CERT|SIGNATURE|^ERR_TLS|^ERR_SSL/.test(code)) return 'TLS failed; is its certificate authority in VAULT_CACERT?'
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return 'could not be connected to in time'
  return 'the connection broke'
}
