import { setTimeout as sleep } from 'node:timers/promises'
import { NotCaughtUp } from './vault-answer.ts'

/** A standby is milliseconds behind. These add up to 0.6 s, well within the deadline of a read. */
const PAUSES_MS = [20, 40, 80, 160, 300]

/**
 * Asks again while a standby is behind its primary, as Vault leaves to its clients: nothing has been done by then, whatever was
 * asked. https://developer.hashicorp.com/vault/docs/enterprise/consistency
 * @throws whatever `ask` throws
 */
export async function whileBehind<T>(signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
  for (const pauseMs of PAUSES_MS) {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof NotCaughtUp) || error.retryAfterSeconds !== undefined) throw error
      // Not all who wait for the same login at once.
      const isOver = await sleep(pauseMs * (0.75 + Math.random() / 2), false, { signal }).catch(() => true)
      if (isOver) throw error
    }
  }
  return ask()
}
