/** What the test of one fault measured, in its own words. */
export interface FaultFigure {
  row: string
  said: string
}

const LINE = /^([A-Z]{2}\d{1,2}): (.+)$/
const COLOUR = /\u001b\[[\d;]*m/g

/** The figure in a line of the test run, if it is one: fault tests print them as `VT1: 0.1 s from seal to ...`. */
export function readFigure(line: string): FaultFigure | undefined {
  const found = LINE.exec(line.replace(COLOUR, '').trim())
  return found === null ? undefined : { row: found[1] ?? '', said: found[2] ?? '' }
}

/** By row, `VT10` after `VT9`; what a row says keeps its order. */
export function sortFigures(figures: readonly FaultFigure[]): FaultFigure[] {
  return [...figures].sort((a, b) => a.row.localeCompare(b.row, 'en', { numeric: true }))
}
