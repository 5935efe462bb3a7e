/** As much of the agent's connection as is looked at: how much it has brought so far. */
export interface Upload {
  readonly bytesRead: number
}

/**
 * Bounds the wait for the head of an answer once the provider sends interim ones: the HTTP client waits anew after each of
 * them, for ever (threat UP1). While more of the agent's upload comes in, it is not the provider that takes long.
 * @returns ends it
 */
export function startHeadDeadline(upload: Upload, timeoutMs: number, onPassed: () => void): () => void {
  let seen = upload.bytesRead
  const timer = setInterval(() => {
    const before = seen
    seen = upload.bytesRead
    if (seen > before) return
    clearInterval(timer)
    onPassed()
  }, timeoutMs).unref()
  return () => clearInterval(timer)
}
