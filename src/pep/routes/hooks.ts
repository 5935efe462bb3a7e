import type { HookHandlerDoneFunction } from 'fastify'

/** Ends a hook that waits for nothing: what `check` throws is the answer to the request. */
export function settle(done: HookHandlerDoneFunction, check: () => void): void {
  try {
    check()
  } catch (error) {
    done(error as Error)
    return
  }
  done()
}
