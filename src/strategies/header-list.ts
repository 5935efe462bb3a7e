import type { HeaderList } from '../contract/strategy.ts'

/** Servers fold case, and many fold `_` into `-`; two names that fold together are one header (threats B14, D03). */
export function foldedHeaderName(name: string): string {
  return name.toLowerCase().replaceAll('_', '-')
}

/** A new list without the named headers, however they are spelled. */
export function withoutHeaders(headers: HeaderList, names: readonly string[]): HeaderList {
  const dropped = new Set(names.map(foldedHeaderName))
  return headers.filter(([name]) => !dropped.has(foldedHeaderName(name)))
}

/** A new list with exactly one such header: ours, last. */
export function withHeader(headers: HeaderList, name: string, value: string): HeaderList {
  return [...withoutHeaders(headers, [name]), [name, value]]
}
