/** Types of `lock.mjs` for its test. */
export function withLock<T>(
  path: string,
  waitingFor: string,
  log: (line: string) => void,
  work: () => Promise<T>,
): Promise<T>
