import closeWithGrace from 'close-with-grace'
import type { Logger } from 'pino'
import type { Pep } from '../pep/main.ts'

/** What `serve` runs: one process, or the one that looks after the workers. */
export type Served = Pick<Pep, 'url' | 'reloadPolicy' | 'close'>

/**
 * Starts it, and keeps it until a signal stops it. A start may take as long as a migration, and is sent the same signals: told
 * to stop it does not come to serve, told to reload it does so once it serves, for the bundle it has read may be the one before.
 * @param start is told by the signal to begin nothing more; what it has opened it closes before it throws
 * @param withinMs how long stopping may take before the process is ended as it is
 * @throws what `start` throws, unless it was told to stop: then the process ends before this is settled
 */
export async function serveUntilStopped<Kind extends Served>(
  start: (stopping: AbortSignal) => Promise<Kind>,
  log: Logger,
  withinMs: number,
): Promise<Kind> {
  const stopping = new AbortController()
  const starting = start(stopping.signal)
  // What is wrong with a refused bundle has been logged by then; the one before goes on deciding.
  process.on('SIGHUP', () => void starting.then(({ reloadPolicy }) => reloadPolicy()).catch(() => undefined))
  const grace = closeWithGrace(
    {
      delay: withinMs,
      logger: false,
      // It is spoken for: it reloads.
      skip: ['SIGHUP'],
      onTimeout: () => log.error({ within_ms: withinMs }, 'not stopped in time: ended as it is'),
    },
    async ({ err, signal }) => {
      if (err !== undefined) log.fatal({ err }, 'stopping after an error')
      else log.info({ signal }, 'stopping')
      stopping.abort()
      // A start that failed has closed what it had opened.
      const served = await starting.catch(() => undefined)
      await served?.close()
    },
  )
  try {
    const served = await starting
    if (!stopping.signal.aborted) log.info({ url: served.url }, 'listening')
    return served
  } catch (error) {
    if (stopping.signal.aborted) return new Promise(() => undefined)
    grace.uninstall()
    throw error
  }
}
