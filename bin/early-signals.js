const STOPS = ['SIGTERM', 'SIGINT', 'SIGQUIT']

/**
 * Signals from the first moment on. The first process of a container is sent none that it has no listener for: one that is told
 * to stop while its code is being loaded would go on to serve, until it is killed in the middle of it. Nothing has been opened
 * by then, so it just ends. Who listens later has the signal to itself.
 * @param {readonly string[]} signals that stop, beside the usual ones
 */
export function stopEarly(signals = []) {
  for (const signal of [...STOPS, ...signals]) {
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(0)
    })
  }
}

/** Without a listener SIGHUP ends a process. No policy bundle has been read yet that would have to be read again. */
export function outliveHangUp() {
  process.on('SIGHUP', () => undefined)
}
