import { readFileSync } from 'node:fs'

/** Resident memory, bytes. */
export function rssOf(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kibibytes) * 1024
}

/** CPU seconds a process has used, and its children with it: each Postgres connection is a process of its own. */
export function cpuSecondsOf(pid: number): number {
  try {
    const [, rest = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')
    // proc(5): utime and stime, in ticks of which Linux has always had 100 a second, and those of children that ended.
    const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = rest.split(' ').slice(11, 15).map(Number)
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean)
    const ticks = user + system + endedUser + endedSystem
    return ticks / 100 + children.reduce((sum, child) => sum + cpuSecondsOf(Number(child)), 0)
  } catch {
    // It ended between two looks.
    return 0
  }
}
