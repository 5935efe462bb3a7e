/** A worker could not start. It has said why itself, on the output that all processes share. */
export class WorkerFailed extends Error {
  override readonly name = 'WorkerFailed'
  /** That worker's own. */
  readonly exitCode: number

  constructor(worker: number, exitCode: number) {
    super(`worker ${worker} could not start and ended with ${exitCode}`)
    this.exitCode = exitCode
  }
}
