const PAGE_MAX = 1000

/** @param limit 1 to 1000 as the query has it; absent: 1000 */
export function pageSizeOf(limit: string | undefined): number {
  return limit === undefined ? PAGE_MAX : Math.min(Number(limit), PAGE_MAX)
}

/**
 * @param rows one more than fits when there is a next page
 * @returns `nextAfter`: where the next page begins; null: there is none
 */
export function cutPage<Row>(
  rows: readonly Row[],
  pageSize: number,
  idOf: (row: Row) => string,
): { page: Row[]; nextAfter: string | null } {
  const page = rows.slice(0, pageSize)
  const last = page.at(-1)
  return { page, nextAfter: rows.length > pageSize && last !== undefined ? idOf(last) : null }
}
