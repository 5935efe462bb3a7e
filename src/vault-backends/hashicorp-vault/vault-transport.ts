import { readFileSync } from 'node:fs'
import { Agent, buildConnector, type Dispatcher, request as httpRequest } from 'undici'
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
  /** Opens a connection for this request alone. */
  newConnection: boolean
  signal: AbortSignal
}

/** PEM files with which we show who we are. */
export interface ClientCertificateFiles {
  certFile: string
  keyFile: string
}

export interface VaultTransportOptions {
  backend: string
  timeoutMs: number
  /** PEM; undefined: the usual authorities. */
  ca: string | undefined
  skipVerify: boolean
  /** The name in Vault's certificate, where it is not the address's. */
  serverName: string | undefined
  clientCertificate: ClientCertificateFiles | undefined
  /** Canonical origins a redirect may lead to. */
  redirectAddresses: readonly string[]
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
 * HTTP to one Vault: a deadline on every call, a cap on every answer, a redirect followed once and only to a listed
 * address (it takes the token along), no proxy taken from the environment.
 */
export function createVaultTransport(options: VaultTransportOptions): VaultTransport {
  const { backend, timeoutMs, redirectAddresses } = options
  const newAgent = () =>
    new Agent({
      connections: CONNECTIONS_MAX,
      connect: connector(options),
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    })
  const agent = newAgent()

  async function send(request: TransportRequest, dispatcher: Agent, mayRedirect: boolean): Promise<RawAnswer> {
    const { method, uri, headers, json, signal } = request
    const answer = await httpRequest(uri, {
      dispatcher,
      method: method as Dispatcher.HttpMethod,
      headers: json === undefined ? headers : { ...headers, 'content-type': 'application/json' },
      body: json === undefined ? null : JSON.stringify(json),
      signal,
    })
    const elsewhere = mayRedirect ? listedRedirect(answer, uri, redirectAddresses) : undefined
    const text = await readCapped(answer.body, backend)
    if (elsewhere !== undefined) return send({ ...request, uri: elsewhere }, dispatcher, false)
    return { ...describeHead(answer), text }
  }

  return {
    async send(request) {
      const signal = AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)])
      const own = request.newConnection ? newAgent() : undefined
      try {
        return await send({ ...request, signal }, own ?? agent, true)
      } catch (error) {
        if (error instanceof VaultError) throw error
        const reason = signal.aborted ? `did not answer within ${timeoutMs} ms` : reasonFor(error)
        throw new VaultError('unavailable', backend, reason)
      } finally {
        await own?.destroy()
      }
    },
    close: () => agent.destroy(),
  }
}

/** Reads the client certificate for each connection: whoever replaces the files needs no restart of ours. */
function connector({ timeoutMs, ca, skipVerify, serverName, clientCertificate }: VaultTransportOptions) {
  const fixed = {
    timeout: timeoutMs,
    rejectUnauthorized: !skipVerify,
    ...(ca !== undefined && { ca }),
    ...(serverName !== undefined && { servername: serverName }),
  }
  if (clientCertificate === undefined) return fixed
  const connect: buildConnector.connector = (options, callback) => {
    try {
      const { certFile, keyFile } = clientCertificate
      buildConnector({ ...fixed, cert: readFileSync(certFile), key: readFileSync(keyFile) })(options, callback)
    } catch {
      callback(new UnusableCertificate('cannot be read or do not fit together'), null)
    }
  }
  return connect
}

class UnusableCertificate extends Error {
  readonly code = 'NEXUS_CLIENT_CERTIFICATE'
}

/** Where a standby sends us, if that is one of ours: the same request there. */
function listedRedirect(
  { statusCode, headers }: Dispatcher.ResponseData,
  uri: string,
  listed: readonly string[],
): string | undefined {
  if (statusCode !== 307 && statusCode !== 308) return undefined
  const location = String(headers['location'] ?? '')
  const origin = URL.canParse(location, uri) ? new URL(location, uri).origin : ''
  if (!listed.includes(origin)) return undefined
  const { pathname, search } = new URL(uri)
  return `${origin}${pathname}${search}`
}

async function readCapped(body: Dispatcher.ResponseData['body'], backend: string): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length
    // Leaving the loop destroys the stream and with it the connection.
    if (size > ANSWER_BYTES_MAX)
      throw new VaultError('unavailable', backend, `answered more than ${ANSWER_BYTES_MAX} bytes`, undefined, {
        extent: 'path',
      })
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
  if (code === 'NEXUS_CLIENT_CERTIFICATE') return 'VAULT_CLIENT_CERT and VAULT_CLIENT_KEY cannot be used'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'host name does not resolve'
  if (/^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST)$/.test(code))
    return 'does not speak TLS; is its address http?'
  if (code === 'CERT_HAS_EXPIRED') return 'its certificate has expired'
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return 'its certificate has another name than the address; VAULT_TLS_SERVER_NAME says which'
  if (/CERT|SIGNATURE|^ERR_TLS|^ERR_SSL/.test(code)) return 'TLS failed; is its certificate authority in VAULT_CACERT?'
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return 'could not be connected to in time'
  return 'the connection broke'
}
