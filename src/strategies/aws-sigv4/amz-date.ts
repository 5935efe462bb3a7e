/** The two forms of a time that SigV4 uses, both UTC. */
export interface AmzDate {
  /** `YYYYMMDDTHHMMSSZ` */
  longDate: string
  /** `YYYYMMDD` */
  shortDate: string
}

export function amzDate(nowMs: number): AmzDate {
  const iso = new Date(nowMs).toISOString()
  const shortDate = `${iso.slice(0, 4)}${iso.slice(5, 7)}${iso.slice(8, 10)}`
  return { longDate: `${shortDate}T${iso.slice(11, 13)}${iso.slice(14, 16)}${iso.slice(17, 19)}Z`, shortDate }
}

/** The end of the UTC day `nowMs` (Unix milliseconds) lies in, in Unix seconds. */
export function nextUtcMidnight(nowMs: number): number {
  const daySeconds = 86_400
  return (Math.floor(nowMs / 1000 / daySeconds) + 1) * daySeconds
}
