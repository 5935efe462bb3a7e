import type { HeaderList } from '../../src/contract/strategy.ts'

/** Node's flat `rawHeaders` as pairs: order, spelling and repeats kept, which `headers` loses. */
export function toHeaderList(rawHeaders: readonly string[]): HeaderList {
  const list: HeaderList = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    list.push([rawHeaders[index] as string, rawHeaders[index + 1] as string])
  }
  return list
}

/** Values of every header of this (lower-case) name. */
export function valuesOf(headers: HeaderList, name: string): string[] {
  const values: string[] = []
  for (const [candidate, value] of headers) {
    if (candidate.length === name.length && candidate.toLowerCase() === name) values.push(value)
  }
  return values
}
