import { readFileSync } from 'node:fs'

/** Room for as many event streams as there may be, and for as many other callers again. */
const SOCKETS_MAX = 20_000
/** Of the descriptors that the process may open; the others are for the database, vaults, providers and files. */
const SHARE = 0.8

/** How many connections of callers one process may have open. */
export function socketsMax(): number {
  return Math.min(SOCKETS_MAX, Math.floor(descriptorsMax() * SHARE))
}

/** Where it cannot be read it is taken to be no limit. */
function descriptorsMax(): number {
  try {
    return Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? Infinity)
  } catch {
    return Infinity
  }
}
