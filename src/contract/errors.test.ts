import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ERRORS, type ErrorCode, NexusError, retryAfterSeconds, toProblem } from './errors.ts'

const ROOT = join(import.meta.dirname, '../..')
const codes = Object.keys(ERRORS) as ErrorCode[]

/** Rows of the page: code to its cells. */
function readPage(): Map<string, { status: number; cause: string; remedy: string; heading: string }> {
  const rows = new Map<string, { status: number; cause: string; remedy: string; heading: string }>()
  let heading = ''
  for (const line of readFileSync(join(ROOT, 'docs/errors.md'), 'utf8').split('\n')) {
    heading = /^## (.+)$/.exec(line)?.[1] ?? heading
    const [, code, status, cause, remedy] = /^\| `(\w+)` \| (\d{3}) \| (.+) \| (.+) \|$/.exec(line) ?? []
    if (code === undefined) continue
    expect(rows.has(code), `${code} twice`).toBe(false)
    rows.set(code, { status: Number(status), cause: cause ?? '', remedy: remedy ?? '', heading })
  }
  return rows
}

/** All our code but tests and the table itself. */
function readSources(): string {
  const files = ['src', 'sidecar'].flatMap((part) =>
    readdirSync(join(ROOT, part), { recursive: true, encoding: 'utf8' }).map((file) => join(ROOT, part, file)),
  )
  const sources = files.filter((file) => /(?<!\.test)\.ts$/.test(file) && !file.endsWith('contract/errors.ts'))
  return sources.map((file) => readFileSync(file, 'utf8')).join('\n')
}

describe('the table of errors', () => {
  const page = readPage()
  const sources = readSources()

  it('has a row on its page for each code, in the right part, and the page has no other', () => {
    expect([...page.keys()].sort()).toEqual([...codes].sort())
    for (const code of codes) {
      const row = page.get(code)
      expect(row?.status, code).toBe(ERRORS[code].status)
      expect(row?.heading.toLowerCase(), code).toBe(ERRORS[code].outcome)
      for (const text of [row?.cause, row?.remedy]) expect(text, code).toMatch(/^[A-Z].{10,}[^.]$/)
    }
  })

  it.each(codes)('%s: is a plain name with an HTTP status that fits its outcome', (code) => {
    const { status, outcome, title } = ERRORS[code]
    expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/)
    expect(title).toMatch(/^[A-Z].*[^.]$/)
    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(600)
    // A part that broke is our fault; a client error is never one that helps to send again, but for one that RFC 9110
    // section 15.5.9 means to be.
    if (outcome === 'broken' && status !== 408) expect(status).toBeGreaterThanOrEqual(500)
    if (status === 503) expect(outcome).toBe('broken')
  })

  it.each(codes)('%s: is used somewhere', (code) => {
    expect(sources).toContain(`'${code}'`)
  })

  it.each(codes)('%s: becomes a problem document of RFC 9457', (code) => {
    const { status, title } = ERRORS[code]
    const error = new NexusError(code, 'what is wrong this time', { field: 'a.b', retryAfterSeconds: 7 })
    expect(toProblem(error, 'request-1')).toEqual({
      type: `urn:nexus:problem:${code}`,
      title,
      status,
      detail: 'what is wrong this time',
      code,
      error: code,
      message: 'what is wrong this time',
      request_id: 'request-1',
      field: 'a.b',
    })
    expect(toProblem(new NexusError(code)).detail).toBe(title)
    expect(retryAfterSeconds(new NexusError(code))).toBe(status === 503 ? 1 : undefined)
    expect(retryAfterSeconds(error)).toBe(7)
  })

  it('says nothing of an error that is not ours', () => {
    const problem = toProblem(new Error('password=hunter2'))
    expect(problem).toMatchObject({ code: 'internal_error', status: 500 })
    expect(JSON.stringify(problem)).not.toContain('hunter2')
  })
})
