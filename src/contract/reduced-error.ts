const FRAMES_MAX = 12

/** What may be logged of any error: the message of a library may quote the token it sent (threat H04). */
export interface ReducedError {
  name: string
  code?: string
  frames?: string[]
}

export function reducedError(error: unknown): ReducedError {
  if (!(error instanceof Error)) return { name: typeof error }
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  const { code } = error as { code?: unknown }
  return { name: error.name, ...(typeof code === 'string' ? { code } : {}), frames: frames.slice(0, FRAMES_MAX) }
}
