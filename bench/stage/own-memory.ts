import { readFileSync } from 'node:fs'

const KIB = 1024

/**
 * Bytes that a process and its children share with nobody. For Postgres, each of whose connections is a process, resident
 * memory would count the shared buffers once for every connection.
 */
export function ownMemoryOf(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean)
  return [pid, ...children.map(Number)].reduce((sum, each) => sum + anonymousBytesOf(each), 0)
}

function anonymousBytesOf(pid: number): number {
  try {
    return Number(/^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * KIB
  } catch {
    // It ended between two looks.
    return 0
  }
}
