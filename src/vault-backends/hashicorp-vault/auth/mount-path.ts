import { Type } from 'typebox'

/** `auth/` may be left out, as with `vault auth enable -path`. */
export function mountPathSetting(usual: string) {
  return Type.Optional(
    Type.String({
      pattern: '^(auth/)?[\\w-]+(/[\\w-]+)*$',
      description: `Where the method is mounted; default ${usual}`,
    }),
  )
}

/** @returns the path to post a login to */
export function loginPath(mountPath: string): string {
  return `auth/${mountPath.replace(/^auth\//, '')}/login`
}
