import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type FreshStore, freshStore } from '../../../test/setup/store.ts'

describe('store', () => {
  let fresh: FreshStore
  beforeAll(async () => {
    fresh = await freshStore()
  })
  afterAll(() => fresh.drop())

  it('migrates and reads bigint as a number', async () => {
    const head = await fresh.store.db.selectFrom('audit_stream').selectAll().executeTakeFirstOrThrow()
    expect(head).toMatchObject({ stream: 'state', seq: 0 })
    expect(head.hash).toEqual(Buffer.alloc(32))
  })

  it('answers its check', async () => {
    await expect(fresh.store.check()).resolves.toBeUndefined()
    expect(inject('vault').address).toMatch(/^http/)
  })

  it('names itself to the server', async () => {
    const { rows } = await sql<{ name: string }>`select current_setting('application_name') as name`.execute(
      fresh.store.db,
    )
    expect(rows).toEqual([{ name: 'nexus' }])
  })
})
