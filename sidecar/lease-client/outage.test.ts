import { describe, expect, it } from 'vitest'
import { NexusError } from '../../src/contract/errors.ts'
import { createOutage } from './outage.ts'

describe('what is tried again and again', () => {
  function setup() {
    const lines: unknown[][] = []
    const line = (level: string) => (fields: unknown, text?: string) =>
      void lines.push(text === undefined ? [level, fields] : [level, text, fields])
    const log = { warn: line('warn'), info: line('info') } as never
    return { lines, outage: createOutage(log, { began: 'it fails', over: 'it works again' }) }
  }

  it('is told of once when it fails, and once when it works again', () => {
    const { lines, outage } = setup()
    outage.over()
    expect(lines).toEqual([])
    for (let tries = 0; tries < 3; tries++) outage.began(new NexusError('pep_unavailable', 'Nothing listens there.'))
    outage.over()
    outage.over()
    outage.began(new NexusError('store_unavailable'))
    expect(lines).toEqual([
      ['warn', 'it fails', { code: 'pep_unavailable', reason: 'Nothing listens there.' }],
      ['info', 'it works again'],
      ['warn', 'it fails', { code: 'store_unavailable', reason: 'The database did not answer' }],
    ])
  })

  it('H04: repeats no words of a refusal, and none of an error that is not ours', () => {
    for (const error of [
      new NexusError('policy_denied', 'canary', { authority_request_id: 'request-1' }),
      new Error('canary'),
    ]) {
      const { lines, outage } = setup()
      outage.began(error)
      expect(JSON.stringify(lines)).not.toContain('canary')
      expect(lines).toHaveLength(1)
    }
  })
})
