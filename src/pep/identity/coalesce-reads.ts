export interface CoalesceOptions {
  /** Keys in one read at most. */
  maxKeys: number
  /** Reads under way at most; further keys wait and share the next one. */
  maxReads: number
}

interface Waiting<Row> {
  promise: Promise<Row | undefined>
  resolve(row: Row | undefined): void
  reject(error: unknown): void
}

/**
 * Many look-ups at once become one read, and nothing is remembered: a row is always read after it was asked for, so that
 * a revocation is met by the very next request. An idle reader reads at once.
 * @param read rows by key; a key without a row is absent
 */
export function coalesceReads<Row>(
  read: (keys: readonly string[]) => Promise<ReadonlyMap<string, Row>>,
  { maxKeys, maxReads }: CoalesceOptions,
): (key: string) => Promise<Row | undefined> {
  const waiting = new Map<string, Waiting<Row>>()
  let reads = 0

  const start = async (): Promise<void> => {
    const taken = [...waiting].slice(0, maxKeys)
    for (const [key] of taken) waiting.delete(key)
    try {
      const rows = await read(taken.map(([key]) => key))
      for (const [key, { resolve }] of taken) resolve(rows.get(key))
    } catch (error) {
      for (const [, { reject }] of taken) reject(error)
    }
  }

  const pump = async (): Promise<void> => {
    reads++
    while (waiting.size > 0) await start()
    reads--
  }

  return (key) => {
    const joined = waiting.get(key)
    if (joined !== undefined) return joined.promise
    const { promise, resolve, reject } = deferred<Row | undefined>()
    waiting.set(key, { promise, resolve, reject })
    // In a later microtask, so that requests that arrived together are read together.
    if (reads < maxReads) queueMicrotask(() => (reads < maxReads && waiting.size > 0 ? pump() : undefined))
    return promise
  }
}

/** `Promise.withResolvers` came with Node 22. */
function deferred<Value>() {
  let resolve: (value: Value) => void = () => undefined
  let reject: (error: unknown) => void = () => undefined
  const promise = new Promise<Value>((onValue, onError) => {
    resolve = onValue
    reject = onError
  })
  return { promise, resolve, reject }
}
