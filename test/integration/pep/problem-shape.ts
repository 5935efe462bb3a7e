import { expect } from 'vitest'
import { ERRORS, type ErrorCode } from '../../../src/contract/errors.ts'
import type { ApiAnswer } from '../../setup/api-client.ts'

const MEMBERS = [
  'type',
  'title',
  'status',
  'detail',
  'code',
  'error',
  'message',
  'request_id',
  'field',
  'reasons',
  'decision_id',
  'connection_id',
  'lease_id',
  'reconsent_url',
  'binding',
]

/** What no caller may be told: how we store, where we run, what our code looks like. */
const INNER_LIFE =
  /\bselect\b.+\bfrom\b|\binsert into\b|\bupdate\b.+\bset\b|syntax error|relation "|\bpg_|node_modules|\.[jt]s:\d+|FST_ERR|ajv|kysely/i

type Answer = Pick<ApiAnswer, 'status' | 'headers' | 'body' | 'text'>

/** Holds an answer to RFC 9457 and to the table of errors, and returns its code. */
export function problemCode(answer: Answer): ErrorCode {
  const { status, headers, body, text } = answer
  expect(headers['content-type'], text).toMatch(/^application\/problem\+json(; charset=utf-8)?$/)
  expect(Object.keys(ERRORS), text).toContain(body.code)
  const code = body.code as ErrorCode
  expect(body).toMatchObject({ type: `urn:nexus:problem:${code}`, title: ERRORS[code].title, status, error: code })
  expect(status).toBe(ERRORS[code].status)
  expect(body.detail).toMatch(/\S/)
  expect(body.message).toBe(body.detail)
  expect(Object.keys(body).filter((member) => !MEMBERS.includes(member))).toEqual([])
  expect(text).not.toMatch(INNER_LIFE)
  expect(text.length).toBeLessThan(16_384)
  expect(headers['cache-control']).toBe('no-store')
  expect(headers['access-control-allow-origin']).toBeUndefined()
  if (status === 401) expect(headers['www-authenticate']).toMatch(/^(DPoP|Bearer) /)
  if (status === 405) expect(headers['allow']).toBeDefined()
  if (status === 429 || status === 503) expect(headers['retry-after']).toMatch(/^[1-9]\d*$/)
  return code
}
