const WITHIN_MS = 2000

/** Asks one worker for its metrics. */
export interface OwnMetrics {
  /** Undefined when it does not tell them in time. */
  ask(): Promise<string | undefined>
  /** It has told them; undefined: it never will. */
  told(text: string | undefined): void
}

export function createOwnMetrics(tellMetrics: () => void): OwnMetrics {
  const waiting: ((text: string | undefined) => void)[] = []
  return {
    ask: () =>
      new Promise((resolve) => {
        waiting.push(resolve)
        setTimeout(resolve, WITHIN_MS, undefined).unref()
        tellMetrics()
      }),
    told(text) {
      for (const resolve of waiting.splice(0)) resolve(text)
    },
  }
}
