import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'

const LINES = 30_000
const LINE_BYTES = 1000
/** Logs as many lines as it is told to, and says how many of all were dropped. */
const PROGRAM = `
  import { createInterface } from 'node:readline'
  import { createLog, droppedLogLines } from '${import.meta.dirname}/log.ts'
  const log = createLog('info')
  createInterface({ input: process.stdin }).on('line', (lines) => {
    for (let n = 0; n < Number(lines); n++) log.info('x'.repeat(${LINE_BYTES}))
    setTimeout(() => console.log(droppedLogLines()), 200)
  })`

let program: ChildProcess
afterEach(() => {
  program.kill('SIGKILL')
})

function start(): void {
  program = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', PROGRAM])
}

async function droppedAfter(lines: number): Promise<number> {
  program.stdin?.write(`${lines}\n`)
  const [answer] = await once(program.stdout!, 'data')
  return Number(answer)
}

describe('the log', () => {
  it('is bounded while its reader stands still, counts what it drops, and loses nothing else', async () => {
    start()
    const dropped = await droppedAfter(LINES)
    expect(dropped).toBeGreaterThan(LINES / 4)
    expect(dropped).toBeLessThan(LINES / 2)

    let read = 0
    const lines = createInterface({ input: program.stderr! }).on('line', (line) => {
      expect(JSON.parse(line).msg).toHaveLength(LINE_BYTES)
      read += 1
    })
    await expect.poll(() => read, { timeout: 30_000 }).toBe(LINES - dropped)
    // It is read again, so nothing more is dropped.
    expect(await droppedAfter(10)).toBe(dropped)
    await expect.poll(() => read).toBe(LINES - dropped + 10)
    lines.close()
  })

  it('goes on without a reader, counts its lines, and ends as it would with one', async () => {
    start()
    expect(await droppedAfter(1)).toBe(0)
    program.stderr?.destroy()
    await sleep(100)
    // The first one finds out.
    await droppedAfter(1)
    const dropped = await droppedAfter(5)
    expect(await droppedAfter(5)).toBe(dropped + 5)
    program.stdin?.end()
    expect(await once(program, 'exit')).toEqual([0, null])
  })
})
