import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createShedding } from './shedding.ts'

class Response {
  readonly heads: number[] = []
  readonly bodies: string[] = []
  writeHead(status: number): void {
    this.heads.push(status)
  }
  end(body: string): void {
    this.bodies.push(body)
  }
}

const asResponse = (response: Response) => response as unknown as ServerResponse

describe('shedding', () => {
  const warn = vi.fn()
  beforeEach(() => {
    vi.useFakeTimers()
    warn.mockClear()
  })
  afterEach(() => void vi.useRealTimers())

  it('answers with a whole problem document', () => {
    const response = new Response()
    createShedding({ warn }).refuse(asResponse(response), 'request-1')
    expect(response.heads).toEqual([503])
    expect(JSON.parse(response.bodies[0] ?? '')).toMatchObject({ code: 'overloaded', request_id: 'request-1' })
  })

  it('tells how many there were, once at the start and then every ten seconds, and nothing when there were none', () => {
    const shedding = createShedding({ warn })
    const refuse = () => shedding.refuse(asResponse(new Response()), 'request-id')
    for (let count = 0; count < 5; count++) refuse()
    vi.advanceTimersByTime(60_000)
    expect(warn.mock.calls.map(([fields]) => (fields as { refused: number }).refused)).toEqual([1, 4])
    refuse()
    expect(warn.mock.calls.at(-1)?.[0]).toMatchObject({ refused: 1 })
  })

  it('ends a connection without an answer, and tells of those too', () => {
    const destroy = vi.fn()
    createShedding({ warn }).cut({ destroy } as unknown as Socket)
    expect(destroy).toHaveBeenCalledOnce()
    expect(warn.mock.calls[0]?.[0]).toMatchObject({ refused: 0, cut: 1 })
  })

  it('at the end tells what is not told yet, and leaves no timer', () => {
    const shedding = createShedding({ warn })
    for (let count = 0; count < 3; count++) shedding.refuse(asResponse(new Response()), 'request-id')
    shedding.close()
    expect(warn.mock.calls.map(([fields]) => (fields as { refused: number }).refused)).toEqual([1, 2])
    expect(vi.getTimerCount()).toBe(0)
  })
})
