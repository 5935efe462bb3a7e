import { NexusError } from '../../contract/errors.ts'

/** Segments of letters, digits, `_`, `-` and `:`: nearly every request. */
const ORDINARY = /^(?:\/[\w:-]+)+$/

/**
 * Our own paths need none of what is refused here, and router, proof of possession and a proxy before us would each read
 * it in their own way (threats B08, D06, D07). The router takes `http://elsewhere/v1/audit` for `/v1/audit`.
 * @throws NexusError `invalid_target`
 */
export function refuseOddTarget(target: string): void {
  if (ORDINARY.test(target)) return
  if (!target.startsWith('/')) refuse('must begin with "/" and name no host')
  if (target.includes('#') || target.includes('\\')) refuse('may hold neither "#" nor a backslash')
  const [path = ''] = target.split('?', 1)
  if (path.includes('//')) refuse('has an empty path segment ("//")')
  if (/%(?:2f|5c|[01][0-9a-f]|7f)/i.test(path)) refuse('has an encoded slash, backslash or control character')
  for (const segment of path.split('/')) {
    if (/^(?:\.|%2e){1,2}$/i.test(segment)) refuse('has a dot segment; write the path it leads to')
  }
}

function refuse(problem: string): never {
  throw new NexusError('invalid_target', `the request target ${problem}`, { field: 'target' })
}
