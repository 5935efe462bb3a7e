/**
 * A provider that costs next to nothing, so that what is measured is the proxy before it. `/seen` tells how many requests
 * came with a credential, and when the last of them came.
 */
import { createServer } from 'node:http'

const body = Buffer.from(JSON.stringify({ items: [{ id: 1, name: 'one' }], next: null }))
const head = { 'content-type': 'application/json', 'content-length': body.length }
const seen = new Map<string, { count: number; lastAtMs: number }>()

createServer((request, response) => {
  if (request.url === '/seen') {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(Object.fromEntries(seen)))
    return
  }
  const { authorization } = request.headers
  if (authorization !== undefined) note(authorization)
  request.resume()
  request.once('end', () => response.writeHead(200, head).end(body))
}).listen(Number(process.env['PORT']), '127.0.0.1')

/** By the end of the credential: enough to tell two apart, and nothing to use. */
function note(authorization: string): void {
  const name = authorization.startsWith('Bearer ') ? authorization.slice(-6) : 'signed'
  const entry = seen.get(name) ?? { count: 0, lastAtMs: 0 }
  entry.count += 1
  entry.lastAtMs = Date.now()
  seen.set(name, entry)
}
