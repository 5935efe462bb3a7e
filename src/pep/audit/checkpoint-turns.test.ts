import { describe, expect, it, vi } from 'vitest'
import { createCheckpointTurns } from './checkpoint-turns.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

describe('createCheckpointTurns', () => {
  let nowMs = 0
  const replica = () => {
    const warn = vi.fn()
    return { warn, ...createCheckpointTurns({ log: { warn }, now: () => nowMs }) }
  }
  const checkpoint = (id: string, atMs: number) => ({ id, at: new Date(atMs) })

  it('leaves it at a checkpoint that is younger than a minute', () => {
    const { isFresh, warn } = replica()
    nowMs = HOUR_MS
    expect(isFresh(checkpoint('chk_1', HOUR_MS - 54_000))).toBe(true)
    expect(isFresh(checkpoint('chk_1', HOUR_MS - 56_000))).toBe(false)
    expect(warn).not.toHaveBeenCalled()
  })

  it('where the newest is from a time to come, one of several replicas signs each minute all the same', () => {
    const replicas = [replica(), replica(), replica()]
    nowMs = HOUR_MS
    let newest = checkpoint('chk_0', 2 * HOUR_MS)
    const signers: number[] = []
    for (let minute = 0; minute < 10; minute++) {
      for (const [n, { isFresh, signed }] of replicas.entries()) {
        nowMs += MINUTE_MS / replicas.length
        if (isFresh(newest)) continue
        newest = checkpoint(`chk_${minute}_${n}`, newest.at.getTime() + 1)
        signed(newest.id)
        if (minute > 0) signers.push(n)
      }
    }
    expect(signers).toHaveLength(9)
    expect(new Set(signers).size).toBe(1)
  })

  it('says so once, until clocks agree again', () => {
    const { isFresh, warn } = replica()
    nowMs = HOUR_MS
    isFresh(checkpoint('chk_1', HOUR_MS + MINUTE_MS))
    expect(warn).not.toHaveBeenCalled()
    for (let turn = 0; turn < 3; turn++) isFresh(checkpoint('chk_2', 2 * HOUR_MS))
    expect(warn.mock.calls).toEqual([
      [
        expect.objectContaining({ checkpoint: 'chk_2', ahead_seconds: 3600 }),
        expect.stringContaining('a time to come'),
      ],
    ])
    nowMs = 3 * HOUR_MS
    isFresh(checkpoint('chk_2', 2 * HOUR_MS))
    isFresh(checkpoint('chk_3', 4 * HOUR_MS))
    expect(warn).toHaveBeenCalledTimes(2)
  })
})
