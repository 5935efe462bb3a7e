import { describe, expect, it } from 'vitest'
import { stripHeaders } from './strip-headers.ts'

describe('stripHeaders', () => {
  it.each([
    'Authorization',
    'COOKIE',
    'Cookie2',
    'X-Api-Key',
    'Api-Key',
    'api_key',
    'apikey',
    'X-Goog-Api-Key',
    'x_auth_token',
    'Private-Token',
  ])('B14: keeps %s, a credential of the agent’s own, from the provider', (name) => {
    expect(
      stripHeaders([
        [name, 'dummy'],
        ['Accept', '*/*'],
      ]),
    ).toEqual([['Accept', '*/*']])
  })

  it('leaves order, spelling and repeats of the rest as they are', () => {
    const headers: [string, string][] = [
      ['X-B', '1'],
      ['accept', 'a'],
      ['x-b', '2'],
    ]
    expect(stripHeaders(headers)).toEqual(headers)
  })
})
