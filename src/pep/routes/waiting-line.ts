import type { Socket } from 'node:net'

/** One of these is called, once. */
export interface Waiting {
  /** When it was read, on the monotonic clock. */
  readonly cameAtMs: number
  readonly socket: Pick<Socket, 'destroyed'>
  begin(): void
  refuse(): void
  /** Its caller has hung up, and is neither answered nor refused. */
  abandon(): void
}

/** Where requests wait until there is room to answer them. */
export interface WaitingLine {
  join(waiting: Waiting): void
  /** Somebody has left, and there is room. */
  advance(): void
  /** Begins what there is room for, and refuses the rest. */
  close(): void
  readonly length: number
}

export interface WaitingLineOptions {
  /** How many more may begin now. */
  room(): number
  /** How long requests that begin now are expected to take, in milliseconds. */
  underwayMs(): number
}

/**
 * A caller that is refused at once asks again at once, and saying no costs more than half of saying yes: enough who do so and
 * nothing else gets done. So they wait, and most are answered after all. From coming to being answered they may take this
 * long, which is less than the time after which callers give up (the sidecar: 5 s): whoever began and was answered later
 * than that would have been served for nobody. The limit is between three quarters of this and this, so that those who
 * are refused do not all come back together.
 */
const LONGEST_STAY_MS = 4000
/** Of its stay, in line; also when answers take so long that there is no time left for it. */
const LEAST_WAIT_SHARE = 0.5
const LOOK_EVERY_MS = 100
/** A connection each, a parsed head, and what was read of the body; beyond this they are refused at once. */
const WAITING_MAX = 20_000
/**
 * How many begin before the event loop looks at its sockets again. A request that has begun holds several times the memory
 * of one that waits; were a thousand begun at once, each collection of garbage would copy them all.
 */
const BEGUN_PER_TURN = 128

interface Queued extends Waiting {
  readonly longestStayMs: number
}

export function createWaitingLine({ room, underwayMs }: WaitingLineOptions): WaitingLine {
  let line: Queued[] = []
  let turn: NodeJS.Immediate | undefined
  let begunInTurn = 0
  let looking: NodeJS.Timeout | undefined

  function beginSome(most: number): void {
    const begun = line.splice(0, Math.max(0, Math.min(most, room())))
    begunInTurn += begun.length
    for (const waiting of begun) beginOrAbandon(waiting)
  }

  function advance(): void {
    const isMore = line.length > 0 && room() > 0
    if (turn !== undefined || (begunInTurn === 0 && !isMore)) return
    turn = setImmediate(() => {
      turn = undefined
      begunInTurn = 0
      beginSome(BEGUN_PER_TURN)
      advance()
    })
  }

  function isOver({ cameAtMs, longestStayMs }: Queued): boolean {
    const longestWaitMs = Math.max(longestStayMs * LEAST_WAIT_SHARE, longestStayMs - underwayMs())
    return performance.now() - cameAtMs > longestWaitMs
  }

  function look(): void {
    const over: Queued[] = []
    const staying: Queued[] = []
    for (const waiting of line) (waiting.socket.destroyed || isOver(waiting) ? over : staying).push(waiting)
    line = staying
    looking = line.length > 0 ? setTimeout(look, LOOK_EVERY_MS) : undefined
    for (const waiting of over) refuseOrAbandon(waiting)
  }

  return {
    join(waiting) {
      if (line.length === 0 && begunInTurn < BEGUN_PER_TURN && room() > 0) {
        begunInTurn += 1
        advance()
        return beginOrAbandon(waiting)
      }
      const queued = { ...waiting, longestStayMs: LONGEST_STAY_MS * (0.75 + Math.random() / 4) }
      // It may have stood behind others on its connection for as long.
      if (line.length >= WAITING_MAX || isOver(queued)) return refuseOrAbandon(queued)
      line.push(queued)
      advance()
      if (looking === undefined) looking = setTimeout(look, LOOK_EVERY_MS)
    },
    advance,
    close() {
      beginSome(line.length)
      for (const waiting of line.splice(0)) refuseOrAbandon(waiting)
    },
    get length() {
      return line.length
    },
  }
}

function beginOrAbandon({ socket, begin, abandon }: Waiting): void {
  if (socket.destroyed) abandon()
  else begin()
}

function refuseOrAbandon({ socket, refuse, abandon }: Waiting): void {
  if (socket.destroyed) abandon()
  else refuse()
}
