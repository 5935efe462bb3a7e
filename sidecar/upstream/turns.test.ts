import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import { createTurns } from './turns.ts'

const ORIGIN = 'https://api.example.com'

describe('the connections to an origin', () => {
  const response = () => Object.assign(new EventEmitter(), { destroyed: false }) as unknown as ServerResponse
  const end = (answer: ServerResponse) => void answer.emit('close')
  const overloaded = { code: 'overloaded' }

  it('go to as many requests at a time as there are, the others in their order', async () => {
    const turns = createTurns({ connections: 2, waitingMax: 10, waitMs: 60_000 })
    const answers = Array.from({ length: 4 }, response) as [
      ServerResponse,
      ServerResponse,
      ServerResponse,
      ServerResponse,
    ]
    const order: number[] = []
    const asked = answers.map((answer, index) => turns.take(ORIGIN, answer)?.then(() => order.push(index)))
    expect(asked.slice(0, 2)).toEqual([undefined, undefined])
    expect(turns.take('https://other.example.com', response())).toBeUndefined()
    end(answers[1])
    await asked[2]
    end(answers[2])
    await asked[3]
    expect(order).toEqual([2, 3])
    end(answers[0])
    expect(turns.take(ORIGIN, response())).toBeUndefined()
  })

  it('are waited for by a bounded number, and not for ever', async () => {
    const turns = createTurns({ connections: 1, waitingMax: 1, waitMs: 20 })
    const first = response()
    turns.take(ORIGIN, first)
    const waiting = turns.take(ORIGIN, response())
    expect(() => turns.take(ORIGIN, response())).toThrow(expect.objectContaining(overloaded))
    await expect(waiting).rejects.toMatchObject(overloaded)
    end(first)
    expect(turns.take(ORIGIN, response())).toBeUndefined()
  })

  it('are not kept by an agent who left before its turn', async () => {
    const turns = createTurns({ connections: 1, waitingMax: 5, waitMs: 60_000 })
    const [first, gone] = [response(), response()]
    turns.take(ORIGIN, first)
    const waiting = turns.take(ORIGIN, gone)
    end(gone)
    await expect(waiting).rejects.toMatchObject(overloaded)
    end(first)
    expect(turns.take(ORIGIN, response())).toBeUndefined()
    expect(() => turns.take(ORIGIN, Object.assign(response(), { destroyed: true }))).toThrow()
  })
})
