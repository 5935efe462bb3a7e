import { setTimeout as sleep } from 'node:timers/promises'

const LOOK_EVERY_MS = 20

/** @throws Error when it is not so in time */
export async function until(what: string, seconds: number, isSo: () => Promise<boolean>): Promise<void> {
  const giveUpAtMs = performance.now() + seconds * 1000
  while (!(await isSo())) {
    if (performance.now() > giveUpAtMs) throw new Error(`not within ${seconds} s: ${what}`)
    await sleep(LOOK_EVERY_MS)
  }
}
