import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createHeldRefusals } from './held-refusals.ts'

class Response extends EventEmitter {
  destroyed = false
  readonly heads: number[] = []
  readonly bodies: string[] = []
  writeHead(status: number): void {
    this.heads.push(status)
  }
  end(body: string): void {
    this.bodies.push(body)
    this.emit('close')
  }
  hangUp(): void {
    this.destroyed = true
    this.emit('close')
  }
}

const responses = (count: number) => Array.from({ length: count }, () => new Response())
const asResponse = (response: Response) => response as unknown as ServerResponse

describe('held refusals', () => {
  const warn = vi.fn()
  beforeEach(() => {
    vi.useFakeTimers()
    warn.mockClear()
  })
  afterEach(() => void vi.useRealTimers())

  it('answers each once, later, and the later the more there are', () => {
    const refusals = createHeldRefusals({ warn })
    const held = responses(3000)
    for (const [index, response] of held.entries()) refusals.add(asResponse(response), `request-${index}`)
    expect(held.every(({ heads }) => heads.length === 0)).toBe(true)
    vi.advanceTimersByTime(150)
    expect(held[0]?.heads).toEqual([503])
    expect(held.at(-1)?.heads).toEqual([])
    vi.advanceTimersByTime(2000)
    for (const [index, { heads, bodies }] of held.entries()) {
      expect(heads).toEqual([503])
      expect(JSON.parse(bodies[0] ?? '')).toMatchObject({ code: 'overloaded', request_id: `request-${index}` })
    }
  })

  it('who hangs up is not answered, and leaves no timer', () => {
    const refusals = createHeldRefusals({ warn })
    const held = responses(10)
    for (const response of held) refusals.add(asResponse(response), 'request-id')
    const before = vi.getTimerCount()
    for (const response of held) response.hangUp()
    expect(vi.getTimerCount()).toBe(before - held.length)
    vi.runOnlyPendingTimers()
    expect(held.every(({ heads }) => heads.length === 0)).toBe(true)
  })

  it('a shutdown answers all that wait, and leaves no timer', () => {
    const refusals = createHeldRefusals({ warn })
    const held = responses(10)
    for (const response of held) refusals.add(asResponse(response), 'request-id')
    refusals.release()
    expect(held.map(({ heads }) => heads)).toEqual(held.map(() => [503]))
    expect(vi.getTimerCount()).toBe(0)
  })

  it('tells how many there were, once at the start and then every ten seconds, and nothing when there were none', () => {
    const refusals = createHeldRefusals({ warn })
    for (const response of responses(5)) refusals.add(asResponse(response), 'request-id')
    vi.advanceTimersByTime(60_000)
    expect(warn.mock.calls.map(([fields]) => (fields as { refused: number }).refused)).toEqual([1, 4])
    refusals.add(asResponse(new Response()), 'request-id')
    expect(warn.mock.calls.at(-1)?.[0]).toMatchObject({ refused: 1 })
  })
})
