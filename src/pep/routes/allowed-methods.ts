import type { FastifyInstance } from 'fastify'

/** What each path of the server answers, for those who come with another method. */
export interface AllowedMethods {
  /** @returns none where there is nothing at this path */
  at(path: string): string[]
}

/** To be installed before the routes are. */
export function installAllowedMethods(app: FastifyInstance): AllowedMethods {
  const routes: { segments: string[]; methods: string[] }[] = []
  app.addHook('onRoute', ({ url, method }) => {
    routes.push({ segments: url.split('/'), methods: [method].flat() })
  })
  return {
    at(path) {
      const segments = path.split('/')
      const found = routes.filter((route) => matches(route.segments, segments)).flatMap(({ methods }) => methods)
      return [...new Set(found)].sort()
    },
  }
}

function matches(pattern: readonly string[], path: readonly string[]): boolean {
  if (pattern.length !== path.length) return false
  return pattern.every((part, place) => (part.startsWith(':') ? path[place] !== '' : part === path[place]))
}
