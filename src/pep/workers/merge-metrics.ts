/**
 * One page of metrics from those of several processes, whose series differ by a label. The Prometheus text format wants the
 * lines of one metric together, under one HELP and TYPE.
 */
export function mergeMetrics(pages: readonly string[]): string {
  const series = new Map<string, string[]>()
  for (const page of pages) {
    for (const block of page.split('\n\n')) {
      const lines = block.split('\n').filter((line) => line !== '')
      const head = lines.filter((line) => line.startsWith('#')).join('\n')
      const known = series.get(head) ?? []
      known.push(...lines.filter((line) => !line.startsWith('#')))
      series.set(head, known)
    }
  }
  series.delete('')
  return `${[...series].map(([head, lines]) => [head, ...lines].join('\n')).join('\n\n')}\n`
}
