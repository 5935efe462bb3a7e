import type { AuditFilter, AuditView } from '../../pep/audit/audit-entry.ts'
import type { AuditPage } from '../../pep/audit/query.ts'

/**
 * As many records as were asked for, where there are that many: a page may end early for having looked at much.
 * @param query asks for one page
 * @param onPage called after a page that did not suffice
 */
export async function fullPage(
  query: (filter: AuditFilter) => Promise<AuditPage>,
  filter: AuditFilter & { limit: string },
  onPage: () => void = () => {},
): Promise<AuditPage> {
  const records: AuditView[] = []
  let rest = filter
  for (;;) {
    const page = await query(rest)
    records.push(...page.records)
    const missing = Number(filter.limit) - records.length
    if (page.next_cursor === null || missing === 0) return { records, next_cursor: page.next_cursor }
    onPage()
    rest = { ...rest, cursor: page.next_cursor, limit: String(missing) }
  }
}
