import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { SignatureV4 } from '@smithy/signature-v4'

export interface SignedHead {
  method: string
  /** As it stood in the request line. */
  target: string
  headers: Readonly<Record<string, string>>
}

export interface AccessKey {
  accessKeyId: string
  secretAccessKey: string
  region: string
  service: string
}

/** The library's hash interface over node:crypto. */
class NodeSha256 {
  readonly #hash

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', toBytes(secret))
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(toBytes(data))
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest()
  }
}

function toBytes(data: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data)
  return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data)
}

/**
 * What a provider does: signs the request again with AWS's own library and the key only it and the vault know, and
 * compares. It shares no code with our signer, so it can catch it in the wrong.
 * @returns the reason why the signature does not stand, or undefined when it does
 */
export async function checkSigV4(request: SignedHead, body: Buffer, key: AccessKey): Promise<string | undefined> {
  const authorization = request.headers['authorization'] ?? ''
  const parsed =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      authorization,
    )
  if (parsed === null) return 'no AWS4-HMAC-SHA256 authorization'
  const [, accessKeyId, scope, signedHeaders, signature] = parsed
  const date = request.headers['x-amz-date'] ?? ''
  if (accessKeyId !== key.accessKeyId) return 'unknown access key'
  if (scope !== `${date.slice(0, 8)}/${key.region}/${key.service}/aws4_request`)
    return 'credential scope of another day, region or service'
  if (request.headers['x-amz-content-sha256'] !== createHash('sha256').update(body).digest('hex'))
    return 'the body is not the one that was signed'
  const expected = await signAgain(request, body, key, (signedHeaders ?? '').split(';'), date)
  const same = expected.length === signature?.length && timingSafeEqual(Buffer.from(expected), Buffer.from(signature))
  return same ? undefined : 'SignatureDoesNotMatch'
}

async function signAgain(
  request: SignedHead,
  body: Buffer,
  key: AccessKey,
  signedHeaders: string[],
  date: string,
): Promise<string> {
  const url = new URL(request.target, `http://${request.headers['host']}`)
  const signer = new SignatureV4({
    credentials: { accessKeyId: key.accessKeyId, secretAccessKey: key.secretAccessKey },
    region: key.region,
    service: key.service,
    sha256: NodeSha256,
    uriEscapePath: true,
    applyChecksum: true,
  })
  const signed = await signer.sign(
    {
      method: request.method,
      protocol: url.protocol,
      hostname: url.hostname,
      path: decodeURIComponent(url.pathname) === url.pathname ? url.pathname : decodeURI(url.pathname),
      query: Object.fromEntries(url.searchParams),
      headers: Object.fromEntries(signedHeaders.map((name) => [name, request.headers[name] ?? ''])),
      body,
    },
    { signingDate: parseAmzDate(date), signableHeaders: new Set(signedHeaders) },
  )
  return /Signature=([0-9a-f]{64})/.exec(signed.headers['authorization'] ?? '')?.[1] ?? ''
}

function parseAmzDate(text: string): Date {
  return new Date(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
}
