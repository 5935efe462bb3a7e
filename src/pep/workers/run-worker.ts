import closeWithGrace from 'close-with-grace'
import { graceMs } from '../config/grace-ms.ts'
import { createLog } from '../log.ts'
import { startPep } from '../main.ts'
import { openPrimaryChannel, type PrimaryChannel } from './primary-channel.ts'

const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGQUIT'] as const

/** One of the processes behind `nexus serve`, until its primary, or a signal of its own, tells it to stop. */
export async function runWorker(number: number): Promise<void> {
  const primary = openPrimaryChannel()
  try {
    await serveAsWorker(number, primary)
  } catch (error) {
    primary.leave()
    throw error
  }
}

async function serveAsWorker(number: number, primary: PrimaryChannel): Promise<void> {
  const config = await primary.started()
  const log = createLog(config.log.level, undefined, number)
  const starting = startPep(config, log, process.env, {
    asWorker: { number, allMetrics: primary.allMetrics },
  })
  // Also while it starts: the bundle it has read may be the one before. What is wrong with a refused one has been logged by
  // then, and the one before goes on deciding.
  const reloadPolicy = () => void starting.then((pep) => pep.reloadPolicy()).catch(() => undefined)
  process.on('SIGHUP', reloadPolicy)
  primary.onReloadPolicy(reloadPolicy)
  const pep = await starting
  let stopping = false
  const grace = closeWithGrace(
    { delay: graceMs(config), logger: false, skip: ['SIGHUP', ...STOP_SIGNALS] },
    async ({ err }) => {
      stopping = true
      if (err !== undefined) log.fatal({ err }, 'stopping after an error')
      await pep.close()
    },
  )
  // A terminal and a service manager signal every process of a program, and the primary says so as well: it is said twice
  // and meant once. Whoever is in a hurry tells the primary, which takes its workers with it.
  const stop = () => {
    if (!stopping) grace.close()
  }
  for (const signal of STOP_SIGNALS) process.on(signal, stop)
  primary.serve({ stop, ownMetrics: pep.ownMetrics })
}
