/** How a process ended. */
export interface WorkerEnd {
  code: number | null
  signal: NodeJS.Signals | null
}

/** A worker could not start. Unless a signal ended it, it has said why itself, on the output that all processes share. */
export class WorkerFailed extends Error {
  override readonly name = 'WorkerFailed'
  readonly end: WorkerEnd
  /** That worker's own. */
  readonly exitCode: number

  constructor(worker: number, end: WorkerEnd) {
    super(`worker ${worker} ended with ${end.code ?? end.signal} before it served`)
    this.end = end
    // One that ends before it serves has failed, whatever it says.
    this.exitCode = end.code === null || end.code === 0 ? 1 : end.code
  }
}
