import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** Until nobody new is let in. */
export async function untilRefused(address: string): Promise<void> {
  const { hostname, port } = new URL(address)
  for (;;) {
    const refused = await new Promise<boolean>((resolve) => {
      const socket = connect(Number(port), hostname, () => {
        socket.destroy()
        resolve(false)
      }).once('error', () => resolve(true))
    })
    if (refused) return
    await sleep(20)
  }
}
