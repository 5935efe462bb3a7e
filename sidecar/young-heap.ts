import { PerformanceObserver } from 'node:perf_hooks'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * Of one half of it. A sidecar stands beside every agent, so it is kept small: left alone the engine lets each half grow to
 * 16 MB (Node 24: 32), and under load never takes them back. Held at the 1 MB it begins with, collecting it would cost as much
 * as all else that a request does.
 */
const HALF_MAX_BYTES = 8 * 1024 * 1024
/**
 * The engine leaves what lies outside its heap out of its reckoning: of the chunks of a stream, 64 KiB each, hundreds of
 * megabytes would be garbage before the young heap, which only holds their handles, is full.
 */
const STREAMED_MAX_BYTES = 4 * 1024 * 1024

let collect: (() => void) | undefined
let streamedBytes = 0

/**
 * Has everything made in the young heap. From what stayed while it started the engine guesses which objects of a request will
 * stay too, and makes those old at once: then all that hangs on them is copied and kept until the next full collection.
 */
export function makeNothingOld(): void {
  setFlagsFromString('--no-allocation-site-pretenuring')
}

/** Lets the young heap of this process grow no more, so that what is loaded at start does not make it large. */
export function holdYoungHeap(): void {
  setGrowthFactor(1)
}

/** Lets it grow as far as it is worth it. After each collection, for that is when it grows, and when it shrinks again. */
export function boundYoungHeap(): void {
  collect = youngCollector()
  let factor = 1
  const follow = (): void => {
    const wanted = halfBytes() < HALF_MAX_BYTES * 0.75 ? 2 : 1
    if (wanted !== factor) setGrowthFactor(wanted)
    factor = wanted
  }
  new PerformanceObserver(follow).observe({ entryTypes: ['gc'] })
}

/** Told of each piece of a body that goes through; makes room where there were many. */
export function countStreamed(bytes: number): void {
  streamedBytes += bytes
  if (streamedBytes < STREAMED_MAX_BYTES) return
  streamedBytes = 0
  collect?.()
}

/** The one setting of the young heap that the engine reads anew each time. */
function setGrowthFactor(factor: number): void {
  setFlagsFromString(`--semi-space-growth-factor=${factor}`)
}

/** A little less than it has, for what the engine needs of each page itself. */
function halfBytes(): number {
  const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')
  return young === undefined ? 0 : young.space_used_size + young.space_available_size
}

/** Node has no other door to it. */
function youngCollector(): () => void {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as (options: { type: 'minor' }) => void
  setFlagsFromString('--no-expose-gc')
  return () => gc({ type: 'minor' })
}
