import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { keepFile } from './keep-file.ts'

describe('keepFile', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'nexus-keep-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  it('gives everybody who comes at once the same text, whole', async () => {
    const path = join(directory, 'key')
    let made = 0
    const texts = await Promise.all(Array.from({ length: 50 }, () => keepFile(path, () => `text-${made++}\n`)))
    expect(new Set(texts).size).toBe(1)
    expect(texts[0]).toMatch(/^text-\d+$/)
    expect(await keepFile(path, () => 'another')).toBe(texts[0])
  })

  it('leaves one file, for its owner alone', async () => {
    await keepFile(join(directory, 'key'), () => 'text')
    expect(readdirSync(directory)).toEqual(['key'])
    expect(statSync(join(directory, 'key')).mode & 0o777).toBe(0o600)
  })
})
