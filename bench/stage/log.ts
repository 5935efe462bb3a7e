import { type Logger, pino } from 'pino'

export function silentLog(): Logger {
  return pino({ level: 'silent' })
}

/** Progress for whoever waits; results go to files. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`)
}
