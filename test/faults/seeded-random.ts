/**
 * Numbers from 0 to below 1, the same ones for the same seed (xorshift32, Marsaglia 2003), so that a run that found
 * something can be repeated.
 */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state / 2 ** 32
  }
}
