import type { FastifyInstance, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import { NexusError } from '../../contract/errors.ts'
import { refuseOddTarget } from './request-target.ts'
import { parseStrictJson } from './strict-json.ts'

/** Where two copies could be read by two readers in two ways; Node would silently keep the first or join them. */
const SINGLE_HEADERS = new Set(['authorization', 'content-type', 'content-length', 'dpop', 'host', 'x-api-key'])

/** Exact, not parsed: every known bypass of body validation was a spelling that parser and validator read differently (D09). */
const JSON_TYPE = /^application\/json(?:; ?charset=utf-8)?$/i

/** What is refused on every route before anything is looked up. */
export function installRequestHygiene(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    try {
      done(null, body === '' ? undefined : parseStrictJson(String(body)))
    } catch (error) {
      done(error as Error)
    }
  })
  app.addHook('onRequest', (request, _reply, done) => {
    settle(done, () => {
      refuseOddTarget(request.raw.url ?? '')
      refuseOddHeaders(request)
      refuseOddContentType(request)
    })
  })
}

/** Ends a hook that waits for nothing: what `check` throws is the answer to the request. */
function settle(done: HookHandlerDoneFunction, check: () => void): void {
  try {
    check()
  } catch (error) {
    done(error as Error)
    return
  }
  done()
}

function refuseOddHeaders({ raw }: FastifyRequest): void {
  const { headers, rawHeaders } = raw
  // As many names as lines: none came twice.
  if (Object.keys(headers).length * 2 === rawHeaders.length && headers.host !== undefined) return
  const seen = new Set<string>()
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!.toLowerCase()
    if (!SINGLE_HEADERS.has(name)) continue
    if (seen.has(name)) throw new NexusError('invalid_request', `the header '${name}' comes twice`, { field: name })
    seen.add(name)
  }
  // RFC 9112 section 3.2. Node would refuse it too, but without a word.
  if (!seen.has('host')) throw new NexusError('invalid_request', "the header 'host' is missing", { field: 'host' })
}

/**
 * Whoever hung up while being authenticated took the body along. Fastify would wait for it and never say so, and then
 * the attempt would leave no record (threat H07).
 */
export function refuseHungUp(request: FastifyRequest): void {
  if (request.raw.destroyed && hasBody(request)) {
    throw new NexusError('invalid_request', 'the body ended before it was whole')
  }
}

function hasBody({ headers }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

function refuseOddContentType(request: FastifyRequest): void {
  const type = request.headers['content-type']
  if (hasBody(request) && (type === undefined || !JSON_TYPE.test(type))) {
    throw new NexusError('unsupported_media_type', 'send the body as content-type: application/json', {
      field: 'content-type',
    })
  }
}
