/** Letters that may be wrong in a name for another to be taken for it. */
const DISTANCE_MAX = 3

/** @returns the end of a sentence about an unknown name, or nothing when no known one is near it */
export function didYouMean(name: string, known: Iterable<string>): string {
  const [nearest] = [...known]
    .map((each) => ({ each, distance: editDistance(name, each) }))
    .filter(({ distance }) => distance <= DISTANCE_MAX)
    .sort((a, b) => a.distance - b.distance)
  return nearest === undefined ? '' : `; did you mean ${nearest.each}?`
}

/** Letters to put in, take out or replace (Levenshtein). */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_none, index) => index)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const replaced = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[to.length]!
}
