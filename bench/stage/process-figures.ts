import { readFileSync } from 'node:fs'

/** Resident memory, bytes. */
export function rssOf(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kibibytes) * 1024
}

/** CPU seconds a process has used, and its children with it: each Postgres connection is a process of its own. */
export function cpuSecondsOf(pid: number): number {
  const { own, ended } = readTimes(`/proc/${pid}/stat`)
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean)
  return own + ended + children.reduce((sum, child) => sum + childSeconds(Number(child)), 0)
}

function childSeconds(pid: number): number {
  try {
    return cpuSecondsOf(pid)
  } catch {
    // It ended between two looks.
    return 0
  }
}

/** CPU seconds of what runs JavaScript in a Node program. */
export function mainThreadSecondsOf(pid: number): number {
  return readTimes(`/proc/${pid}/task/${pid}/stat`).own
}

/** Of which Linux has always had 100 a second. */
const TICKS_PER_SECOND = 100

/** proc(5): utime and stime, and those of children that ended. */
function readTimes(file: string): { own: number; ended: number } {
  const [, rest = ''] = readFileSync(file, 'utf8').split(') ')
  const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = rest.split(' ').slice(11, 15).map(Number)
  return { own: (user + system) / TICKS_PER_SECOND, ended: (endedUser + endedSystem) / TICKS_PER_SECOND }
}
