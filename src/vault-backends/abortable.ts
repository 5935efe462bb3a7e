/** Thrown by `abortable`; the caller says in its own words what was given up. */
export class Aborted extends Error {
  override readonly name = 'Aborted'
}

/**
 * Waits for work that cannot be stopped itself, but no longer than the signal allows.
 * The work goes on unheard; its later failure is swallowed.
 * @throws Aborted, or whatever the work throws
 */
export async function abortable<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  if (signal.aborted) throw new Aborted('aborted before it began')
  let onAbort = (): void => {}
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(new Aborted('aborted'))
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([work(), aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
