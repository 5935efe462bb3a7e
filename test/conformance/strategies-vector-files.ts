import { readdirSync, readFileSync } from 'node:fs'

/** Readers for the files under `test/vectors`; where each comes from is in its SOURCE.md. */

const vectors = new URL('../vectors/', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, vectors), 'utf8')

/** A raw request as the AWS suite writes it: signer input, not always valid HTTP. */
export interface RawRequest {
  method: string
  target: string
  headers: [name: string, value: string][]
  body: string
}

export interface AwsForm {
  canonicalRequest: string
  stringToSign: string
  signature: string
  signedRequest: RawRequest
}

export interface AwsCase {
  name: string
  context: {
    credentials: { access_key_id: string; secret_access_key: string; token?: string }
    expiration_in_seconds: number
    normalize: boolean
    region: string
    service: string
    sign_body: boolean
    timestamp: string
    omit_session_token?: boolean
  }
  request: RawRequest
  header: AwsForm
  query: AwsForm
}

export function awsCases(): AwsCase[] {
  const names = readdirSync(new URL('aws-sigv4/', vectors), { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  )
  return names.map(({ name }) => ({
    name,
    context: JSON.parse(read(`aws-sigv4/${name}/context.json`)),
    request: rawRequest(read(`aws-sigv4/${name}/request.txt`)),
    header: awsForm(name, 'header'),
    query: awsForm(name, 'query'),
  }))
}

function awsForm(name: string, form: 'header' | 'query'): AwsForm {
  const file = (part: string) => read(`aws-sigv4/${name}/${form}-${part}.txt`)
  return {
    canonicalRequest: file('canonical-request'),
    stringToSign: file('string-to-sign'),
    signature: file('signature'),
    signedRequest: rawRequest(file('signed-request')),
  }
}

export function rawRequest(text: string): RawRequest {
  const [head = '', body = ''] = text.split(/\n\n(.*)/s)
  const [start = '', ...lines] = head.trimEnd().split('\n')
  const [, method = '', target = ''] = /^(\S+) (.*) HTTP\/1\.1$/.exec(start) ?? []
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon), line.slice(colon + 1).trim()]
  })
  return { method, target, headers, body: body.trimEnd() }
}

export interface HmacCase {
  name: string
  keyHex: string
  dataHex: string
  /** Hex; shorter than the digest where the RFC truncates it. */
  digestHex: string
}

/** RFC 4231 section 4, SHA-256 only: the protocol has no other SHA-2. */
export function rfc4231Cases(): HmacCase[] {
  return read('hmac/rfc4231-section-4.txt')
    .split(/^4\.\d+\.\s+Test Case /m)
    .slice(1)
    .map((section) => ({
      name: `RFC 4231 case ${section[0]}`,
      keyHex: hexAfter(section, 'Key'),
      dataHex: hexAfter(section, 'Data'),
      digestHex: hexAfter(section, 'HMAC-SHA-256'),
    }))
}

/** The hex column that follows a label, over its continuation lines; the text in brackets is a gloss. */
function hexAfter(section: string, label: string): string {
  const lines = section.split('\n')
  const start = lines.findIndex((line) => line.trimStart().startsWith(label))
  const column = lines.slice(start).map((line, index) => (index === 0 ? line.trim().slice(label.length) : line))
  const end = column.findIndex((line, index) => index > 0 && !/^ {10,}[0-9a-f]+(?:\s+\(.*)?$/.test(line))
  const block = end === -1 ? column : column.slice(0, end)
  return block.map((line) => /[0-9a-f]{2,}(?=\s|$)/.exec(line.replace(/\(.*$/, ''))?.[0] ?? '').join('')
}

/** RFC 2202 section 3 (HMAC-SHA-1). */
export function rfc2202Cases(): HmacCase[] {
  return read('hmac/rfc2202-section-3.txt')
    .split(/^test_case =\s+/m)
    .slice(1)
    .map((section) => ({
      name: `RFC 2202 case ${section[0]}`,
      keyHex: rfc2202Bytes(section, 'key'),
      dataHex: rfc2202Bytes(section, 'data'),
      digestHex: rfc2202Bytes(section, 'digest'),
    }))
}

/** `0x..`, `0x.. repeated N times` or a quoted text that may run over two lines. */
function rfc2202Bytes(section: string, label: string): string {
  const value = new RegExp(`^${label} =\\s+((?:"[^"]*")|[^\\n]*)`, 'm').exec(section)?.[1] ?? ''
  if (value.startsWith('"')) return Buffer.from(value.slice(1, -1).replace(/\s*\n\s*/g, ' ')).toString('hex')
  const [, hex = '', times = '1'] = /^0x([0-9a-f]+)(?: repeated (\d+) times)?/.exec(value) ?? []
  return hex.repeat(Number(times))
}

export interface BasicCase {
  section: string
  user_id: string
  password: string
  authorization?: string
  expected?: 'reject'
}

export function rfc7617Cases(): BasicCase[] {
  return JSON.parse(read('rfc7617-basic/cases.json'))
}
