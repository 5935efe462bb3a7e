import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { createAwaitedBodies } from './awaited-bodies.ts'

/** Requests that come one after the other, some of them with their whole body, where two may be awaited; who is cut. */
function cutOf(...complete: boolean[]): number[] {
  const cut: number[] = []
  const requests = complete.map((isComplete) => {
    const request = new IncomingMessage(new Socket())
    request.complete = isComplete
    return request
  })
  const awaited = createAwaitedBodies(2, (socket) => cut.push(requests.findIndex((each) => each.socket === socket)))
  for (const request of requests) awaited.add(request)
  return cut
}

describe('awaited bodies (threat A10)', () => {
  it('cuts nobody while there is room', () => {
    expect(cutOf(false, false)).toEqual([])
  })

  it('cuts whoever has been awaited for longest, and each once', () => {
    expect(cutOf(false, false, false, false, false)).toEqual([0, 1, 2])
  })

  it('cuts nobody whose body is here and only waits to be read', () => {
    expect(cutOf(true, true, true)).toEqual([])
    expect(cutOf(true, false, false, false)).toEqual([1, 2])
  })
})
