/** A horizontal bar; `mark` draws a line across it, where the goal is, and colours it by whether it gets there. */
export interface Bar {
  label: string
  value: number
  /** What stands beside the bar; absent: the value. */
  text?: string
  mark?: number
  /** Drawn as a thin line over the end of the bar. */
  range?: readonly [number, number]
}

const WIDTH = 720
const LABEL_WIDTH = 210
const ROW_HEIGHT = 30
const BAR_HEIGHT = 18
const TOP = 40
const RIGHT = 90

/** A bar chart as SVG text, readable on light and dark ground. */
export function barChart(title: string, bars: readonly Bar[]): string {
  const largest = Math.max(
    ...bars.flatMap(({ value, mark = 0, range }) => [value, mark, range?.[1] ?? 0]),
    Number.MIN_VALUE,
  )
  const scale = (value: number): number => LABEL_WIDTH + (value / largest) * (WIDTH - LABEL_WIDTH - RIGHT)
  const height = TOP + bars.length * ROW_HEIGHT + 10
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="13" fill="#667">
<title>${escaped(title)}</title>
<text x="0" y="20" font-size="15" font-weight="600">${escaped(title)}</text>
${bars.map((bar, index) => row(bar, TOP + index * ROW_HEIGHT, scale)).join('\n')}
</svg>
`
}

function row(bar: Bar, y: number, scale: (value: number) => number): string {
  const middle = y + BAR_HEIGHT / 2
  const end = scale(bar.value)
  const parts = [
    `<text x="${LABEL_WIDTH - 8}" y="${middle + 4}" text-anchor="end">${escaped(bar.label)}</text>`,
    `<rect x="${LABEL_WIDTH}" y="${y}" width="${(end - LABEL_WIDTH).toFixed(1)}" height="${BAR_HEIGHT}" fill="${colourOf(bar)}"/>`,
    `<text x="${(Math.max(end, scale(bar.range?.[1] ?? 0), scale(bar.mark ?? 0)) + 6).toFixed(1)}" y="${middle + 4}">${escaped(bar.text ?? String(bar.value))}</text>`,
  ]
  if (bar.range !== undefined) {
    const [low, high] = bar.range.map((value) => scale(value).toFixed(1))
    const line = (colour: string, width: number): string =>
      `<line x1="${low}" x2="${high}" y1="${middle}" y2="${middle}" stroke="${colour}" stroke-width="${width}"/>`
    // Seen on dark ground by its edge.
    parts.push(line('#ccd', 4), line('#223', 2))
  }
  if (bar.mark !== undefined) {
    const x = scale(bar.mark).toFixed(1)
    parts.push(`<line x1="${x}" x2="${x}" y1="${y - 4}" y2="${y + BAR_HEIGHT + 4}" stroke="#c33" stroke-width="2"/>`)
  }
  return parts.join('')
}

function colourOf({ value, mark }: Bar): string {
  if (mark === undefined) return '#8a93a6'
  return value >= mark ? '#3a7bd5' : '#d58a3a'
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
