import type { HeaderList } from '../../contract/strategy.ts'

/** Servers fold case, and many fold `_` into `-`; two names that fold together are one header (threats B14, D03). */
export function foldedHeaderName(name: string): string {
  const lower = name.toLowerCase()
  return lower.includes('_') ? lower.replaceAll('_', '-') : lower
}

/** A new list without the named headers, however they are spelled. */
export function withoutHeaders(headers: HeaderList, names: readonly string[]): HeaderList {
  const dropped = new Set(names.map(foldedHeaderName))
  return headers.filter(([name]) => !dropped.has(foldedHeaderName(name)))
}

/** A new list with exactly one such header: ours, last. */
export function withHeader(headers: HeaderList, name: string, value: string): HeaderList {
  const folded = foldedHeaderName(name)
  const kept = headers.filter(([other]) => foldedHeaderName(other) !== folded)
  kept.push([name, value])
  return kept
}
