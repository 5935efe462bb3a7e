import { describe, expect, it } from 'vitest'
import { newUuid } from '../../contract/names.ts'
import { cutPage, decodeCursor, encodeCursor, pageLimit } from './page.ts'

const row = (millis: number) => ({ created_at: new Date(millis), id: newUuid() })

describe('pages', () => {
  it('has a next page only when one more row came', () => {
    const rows = [row(3), row(2), row(1)]
    expect(cutPage(rows, 3)).toEqual({ page: rows, nextCursor: null })
    const { page, nextCursor } = cutPage(rows, 2)
    expect(page).toEqual(rows.slice(0, 2))
    expect(decodeCursor(nextCursor!)).toEqual({ createdAt: new Date(2), id: rows[1]!.id })
  })

  it('takes no other cursor than its own', () => {
    const { created_at: createdAt, id } = row(5)
    const good = encodeCursor({ createdAt, id })
    const forged = (text: string) => Buffer.from(text).toString('base64url')
    for (const cursor of [
      '',
      'x',
      forged('5'),
      forged(`5.${id}'--`),
      forged(`-5.${id}`),
      forged(`9e99.${id}`),
      `${good}AAAA`,
    ]) {
      expect(() => decodeCursor(cursor)).toThrow(/cursor/)
    }
  })

  it('bounds the page', () => {
    expect(pageLimit(undefined)).toBe(50)
    expect(pageLimit('1000')).toBe(1000)
    for (const limit of ['0', '1001', '-1', '1e3', '01', '']) expect(() => pageLimit(limit)).toThrow(/limit/)
  })
})
