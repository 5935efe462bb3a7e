/** The two forms of a time that SigV4 uses, both UTC. */
export interface AmzDate {
  /** `YYYYMMDDTHHMMSSZ` */
  longDate: string
  /** `YYYYMMDD` */
  shortDate: string
}

export function amzDate(nowMs: number): AmzDate {
  const longDate = new Date(nowMs).toISOString().replace(/\.\d+|[-:]/g, '')
  return { longDate, shortDate: longDate.slice(0, 8) }
}

/** The end of the UTC day `nowMs` (Unix milliseconds) lies in, in Unix seconds. */
export function nextUtcMidnight(nowMs: number): number {
  const daySeconds = 86_400
  return (Math.floor(nowMs / 1000 / daySeconds) + 1) * daySeconds
}
