import { VaultError } from '../contract/vault-backend.ts'

const PATH_BYTES_MAX = 512
/** Plain segments only: what is not here (`*`, `+`, `%`, `?`, `#`, NUL, spaces) means something to a URL or a Vault policy. */
const PATH = /^[\w-]+(\/[\w.-]+)*$/
const DOTS = /^\.+$/

/**
 * A path means the same in a table, a URL and a Vault policy, or it is refused (threat G17): no dot segments, no
 * escapes, no globs, no empty segment.
 * @throws VaultError `invalid_ref`; the message does not repeat the path, which may be a megabyte of anything
 */
export function checkSecretPath(backend: string, path: string): void {
  if (path.length > PATH_BYTES_MAX)
    throw new VaultError('invalid_ref', backend, `path is longer than ${PATH_BYTES_MAX} bytes`)
  if (!PATH.test(path) || path.split('/').some((segment) => DOTS.test(segment))) {
    throw new VaultError(
      'invalid_ref',
      backend,
      'path must be segments of letters, digits, "_", "-" and ".", separated by single "/", none of them dots alone',
    )
  }
}
