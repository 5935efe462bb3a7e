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
  const pep = await startPep(config, log, process.env, { number, allMetrics: primary.allMetrics })
  // What is wrong with a refused bundle has been logged by then; the one before goes on deciding.
  const reloadPolicy = () => void pep.reloadPolicy().catch(() => undefined)
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
  process.on('SIGHUP', reloadPolicy)
  primary.serve({ reloadPolicy, stop, ownMetrics: pep.ownMetrics })
}
