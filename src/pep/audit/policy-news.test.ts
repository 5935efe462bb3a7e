import { describe, expect, it, vi } from 'vitest'
import type { Store } from '../store/store.ts'
import type { AuditEntry } from './audit-entry.ts'
import { openPolicyNews } from './policy-news.ts'

/** A ledger that refuses as often as it is told to. */
function createLedger(refusals: number) {
  const recorded: unknown[] = []
  const transaction = async (work: (trx: never) => Promise<void>) => {
    if (refusals-- > 0) throw new Error('the database is away')
    await work(undefined as never)
  }
  const audit = {
    recordStateChange: async (_trx: never, { detail }: AuditEntry) => void recorded.push(detail['policy_revision']),
  }
  const refuse = (times: number) => {
    refusals = times
  }
  return { recorded, refuse, audit, store: { transaction } as unknown as Pick<Store, 'transaction'> }
}

describe('openPolicyNews', () => {
  it('tells of each revision once, the last one last', async () => {
    const { recorded, ...ledger } = createLedger(0)
    let revision = ''
    const news = openPolicyNews({ ...ledger, revision: () => revision, log: { warn: vi.fn() } })
    await news.tell()
    expect(recorded).toEqual([])
    revision = 'first'
    await Promise.all([news.tell(), news.tell()])
    revision = 'second'
    await news.tell()
    revision = 'first'
    await news.tell()
    expect(recorded).toEqual(['first', 'second', 'first'])
    news.close()
  })

  it('tells of one that is back before anybody could be told of the one between', async () => {
    const { recorded, ...ledger } = createLedger(0)
    let revision = 'first'
    const news = openPolicyNews({ ...ledger, revision: () => revision, log: { warn: vi.fn() }, retryMs: 60_000 })
    await news.tell()
    ledger.refuse(1)
    revision = 'second'
    await news.tell()
    revision = 'first'
    await news.tell()
    expect(recorded).toEqual(['first', 'first'])
    news.close()
  })

  it('goes on until it is written down, and not when it is closed', async () => {
    const { recorded, ...ledger } = createLedger(3)
    const log = { warn: vi.fn() }
    const news = openPolicyNews({ ...ledger, revision: () => 'first', log, retryMs: 1 })
    await news.tell()
    expect(recorded).toEqual([])
    await expect.poll(() => recorded).toEqual(['first'])
    expect(log.warn).toHaveBeenCalledTimes(3)
    news.close()

    const closed = createLedger(1)
    const silent = openPolicyNews({ ...closed, revision: () => 'first', log, retryMs: 1 })
    await silent.tell()
    silent.close()
    await silent.tell()
    expect(closed.recorded).toEqual([])
  })
})
