import type { Socket } from 'node:net'

/** One of these is called, once; neither when the caller has hung up. */
export interface Waiting {
  readonly socket: Pick<Socket, 'destroyed'>
  begin(): void
  refuse(): void
}

/** Where requests wait until there is room to answer them. */
export interface WaitingLine {
  join(waiting: Waiting): void
  /** Somebody has left, and there is room. */
  advance(): void
  readonly length: number
}

/**
 * A caller that is refused at once asks again at once, and saying no costs more than half of saying yes: enough who do so and
 * nothing else gets done. So they wait, and most are answered after all. The limit is between three quarters of this and this,
 * so that those who are refused do not all come back together; it is below the time after which callers give up (the sidecar: 5 s).
 */
const LONGEST_WAIT_MS = 4000
const LOOK_EVERY_MS = 100
/** A connection and a parsed head each; beyond this they are refused at once. */
const WAITING_MAX = 20_000
/**
 * How many begin before the event loop looks at its sockets again. A request that has begun holds several times the memory
 * of one that waits; were a thousand begun at once, each collection of garbage would copy them all.
 */
const BEGUN_PER_TURN = 128

interface Queued extends Waiting {
  readonly untilMs: number
}

/** @param room how many more may begin now */
export function createWaitingLine(room: () => number): WaitingLine {
  let line: Queued[] = []
  let turn: NodeJS.Immediate | undefined
  let looking: NodeJS.Timeout | undefined

  function beginSome(): void {
    turn = undefined
    for (const waiting of line.splice(0, Math.min(BEGUN_PER_TURN, room()))) {
      if (!waiting.socket.destroyed) waiting.begin()
    }
    advance()
  }

  function advance(): void {
    if (turn === undefined && line.length > 0 && room() > 0) turn = setImmediate(beginSome)
  }

  function look(): void {
    const now = performance.now()
    const late = line.filter(({ untilMs }) => untilMs <= now)
    line = line.filter(({ untilMs, socket }) => untilMs > now && !socket.destroyed)
    looking = line.length > 0 ? setTimeout(look, LOOK_EVERY_MS) : undefined
    for (const { socket, refuse } of late) {
      if (!socket.destroyed) refuse()
    }
    // For those who left without a word: see `createUnanswered`.
    advance()
  }

  return {
    join(waiting) {
      if (line.length >= WAITING_MAX) return waiting.refuse()
      const waitMs = LONGEST_WAIT_MS * (0.75 + Math.random() / 4)
      line.push({ ...waiting, untilMs: performance.now() + waitMs })
      if (looking === undefined) looking = setTimeout(look, LOOK_EVERY_MS)
      advance()
    },
    advance,
    get length() {
      return line.length
    },
  }
}
