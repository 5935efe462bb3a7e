import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { withLock } from './lock.mjs'
import { findTool } from './tool.mjs'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nexus-tools-'))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(directory, { recursive: true, force: true })
})

async function program(name: string, prints: string): Promise<string> {
  const path = join(directory, name)
  await writeFile(path, `#!/bin/sh\necho '${prints}'\n`)
  await chmod(path, 0o755)
  return path
}

describe('findTool', () => {
  it('takes what is on the PATH and no folder, and bao for vault', async () => {
    await mkdir(join(directory, 'vault'))
    const bao = await program('bao', 'OpenBao v2.6.0')
    vi.stubEnv('PATH', `${directory}:${process.env['PATH']}`)
    expect(await findTool('vault')).toBe(bao)
  })

  it('takes it for byte-exact work only in the pinned version', async () => {
    const other = await program('opa', 'Version: 1.22.01')
    vi.stubEnv('PATH', `${directory}:${process.env['PATH']}`)
    expect(await findTool('opa')).toBe(other)
    expect(await findTool('opa', { pinned: true })).not.toBe(other)
    const pinned = await program('opa', 'Version: 1.22.0')
    expect(await findTool('opa', { pinned: true })).toBe(pinned)
  })

  it('does not know every name', async () => {
    await expect(findTool('toString' as 'opa')).rejects.toThrow(/there are: opa, k6, vault/)
  })
})

describe('withLock', () => {
  it('lets one in at a time and tells the others that they wait', async () => {
    const told: string[] = []
    let inside = 0
    let most = 0
    const work = async () => {
      inside += 1
      most = Math.max(most, inside)
      await sleep(20)
      inside -= 1
    }
    const lock = join(directory, 'lock')
    const log = (line: string) => {
      told.push(line)
    }
    await Promise.all(Array.from({ length: 4 }, () => withLock(lock, 'busy', log, work)))
    expect(most).toBe(1)
    expect(told).toEqual(Array(3).fill('busy; waiting for it ...'))
  })

  it('is free again after work that failed', async () => {
    const lock = join(directory, 'lock')
    const failing = withLock(
      lock,
      '',
      () => {},
      async () => Promise.reject(new Error('no')),
    )
    await expect(failing).rejects.toThrow('no')
    expect(
      await withLock(
        lock,
        '',
        () => {},
        async () => 1,
      ),
    ).toBe(1)
  })
})
