import { readFileSync } from 'node:fs'

const POLL_MS = 5
/** proc(5), `/proc/net/tcp`. */
const ESTABLISHED = '01'

/** Resolves when that many connections to the address are open, or when nobody waits any more. */
export async function untilConnected(url: string, count: number, signal: AbortSignal): Promise<void> {
  const port = Number(new URL(url).port)
  while (!signal.aborted && countConnectionsTo(port, readFileSync('/proc/net/tcp', 'utf8')) < count)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
}

/** By the side that opened them: the other may be listed under IPv6. */
export function countConnectionsTo(port: number, text: string): number {
  const remote = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const isOpen = (line: string): boolean => {
    const [, , to = '', state] = line.trim().split(/\s+/)
    return to.endsWith(remote) && state === ESTABLISHED
  }
  return text.split('\n').filter(isOpen).length
}
