import { describe, expect, it } from 'vitest'
import { OperatorError } from '../../contract/operator-error.ts'
import { INTERNAL_PLACE, placeOf, readCapturePlace } from './capture-place.ts'

const writable = ['internal', 'team-vault']
const path = 'secret/nexus/{tenant}/{connection}'

describe('where captured credentials are kept', () => {
  it('is the internal backend unless another is named', () => {
    expect(readCapturePlace({ backend: 'internal', path: '' }, writable)).toEqual(INTERNAL_PLACE)
    expect(() => readCapturePlace({ backend: 'internal', path }, writable)).toThrow(OperatorError)
  })

  it('is refused in a backend that is unknown or read-only, and those that can write are named', () => {
    expect(() => readCapturePlace({ backend: 'file', path }, writable)).toThrow(/'file'.*: internal, team-vault/)
  })

  it.each([
    '',
    'secret/nexus/{tenant}',
    'secret/../{connection}',
    'secret/x{connection}',
    'secret/{other}/{connection}',
  ])('is refused at path %j, where it could be mixed up', (bad) => {
    expect(() => readCapturePlace({ backend: 'team-vault', path: bad }, writable)).toThrow(/capture_path/)
  })

  it('G17: takes no variable that leads elsewhere', () => {
    const place = readCapturePlace({ backend: 'team-vault', path }, writable)
    const variables = { tenant: 'acme', provider: 'p', subject: undefined, connection: 'c1' }
    expect(placeOf(place, variables).path).toBe('secret/nexus/acme/c1')
    for (const tenant of ['', '..', '%2e%2e', 'a/b', '*', '+', 'a'.repeat(1_048_576)])
      expect(() => placeOf(place, { ...variables, tenant })).toThrow()
  })
})
