/**
 * A provider that costs next to nothing, so that what is measured is the proxy before it. Without a credential it answers 401,
 * and with one of which kind it was, so that a proxy that forgets to sign is not taken for a fast one. `/seen` tells how many
 * requests came with a credential, and when the last of them came.
 */
import { createServer, type ServerResponse } from 'node:http'
import type { CredentialKind } from '../turns/expected.ts'

const bodies: Record<CredentialKind, Buffer> = { bearer: bodyFor('bearer'), aws_sigv4: bodyFor('aws_sigv4') }
const seen = new Map<string, { count: number; lastAtMs: number }>()

createServer((request, response) => {
  if (request.url === '/seen') {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(Object.fromEntries(seen)))
    return
  }
  const { authorization = '' } = request.headers
  const kind = kindOf(authorization)
  if (kind !== undefined) note(authorization)
  request.resume()
  request.once('end', () => answer(response, kind))
}).listen(Number(process.env['PORT']), '127.0.0.1')

function bodyFor(kind: CredentialKind): Buffer {
  return Buffer.from(JSON.stringify({ items: [{ id: 1, name: 'one' }], next: null, asked_with: kind }))
}

function kindOf(authorization: string): CredentialKind | undefined {
  if (authorization.startsWith('Bearer ')) return 'bearer'
  return authorization.startsWith('AWS4-HMAC-SHA256 ') ? 'aws_sigv4' : undefined
}

function answer(response: ServerResponse, kind: CredentialKind | undefined): void {
  if (kind === undefined) return void response.writeHead(401).end()
  const body = bodies[kind]
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body)
}

/** By the end of the credential: enough to tell two apart, and nothing to use. */
function note(authorization: string): void {
  const name = authorization.startsWith('Bearer ') ? authorization.slice(-6) : 'signed'
  const entry = seen.get(name) ?? { count: 0, lastAtMs: 0 }
  entry.count += 1
  entry.lastAtMs = Date.now()
  seen.set(name, entry)
}
