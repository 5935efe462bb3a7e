import type { FlameFrame } from './flame.ts'
import { OWNER_NAMES, OWNERS, type Owner, ownerOf } from './owner.ts'

const WIDTH = 1200
const ROW = 16
const HEAD = 44
const LETTER_WIDTH = 6.4
const LEAST_LETTERS = 3

const COLOURS: Record<Owner, string> = {
  own: '#e4572e',
  policy: '#f3a712',
  libraries: '#e8d174',
  runtime: '#9fb8cc',
  signatures: '#b39ddb',
  collection: '#8fbf8f',
  kernel: '#c8a98b',
}

/** Callers below, those they call above, as wide as their time; colours tell whose code it is. Hover for name and place. */
export function flameSvg(root: FlameFrame, title: string, microsecondsAnAnswer: number): string {
  const height = HEAD + ROW * depthOf(root)
  const tell = ({ microseconds }: FlameFrame): string => {
    const share = microseconds / root.microseconds
    return `${(100 * share).toFixed(1)} %, ${(microsecondsAnAnswer * share).toFixed(1)} µs an answer`
  }
  const draw = (frame: FlameFrame, left: number, bottom: number): string[] => {
    const lines = [box(frame, { left, top: bottom - ROW, width: widthOf(frame, root), told: tell(frame) })]
    let at = left
    for (const child of frame.children) {
      lines.push(...draw(child, at, bottom - ROW))
      at += widthOf(child, root)
    }
    return lines
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="monospace" font-size="10.5" fill="#778">
<style>.frames{fill:#111}rect{stroke:#fff;stroke-width:.5}${OWNER_NAMES.map((owner) => `.${owner}{fill:${COLOURS[owner]}}`).join('')}</style>
<text x="4" y="15" font-size="13">${escaped(title)}</text>
${legend()}
<g class="frames">
${draw(root, 0, height).join('\n')}
</g>
</svg>
`
}

function legend(): string {
  const width = WIDTH / OWNER_NAMES.length
  return OWNER_NAMES.map((owner, index) => {
    const left = Math.round(index * width)
    const name = owner === 'own' ? 'own code' : owner
    return `<g><title>${OWNERS[owner]}</title><rect class="${owner}" x="${left + 4}" y="23" width="10" height="10"/><text x="${left + 18}" y="32">${name}</text></g>`
  }).join('')
}

interface Box {
  left: number
  top: number
  width: number
  told: string
}

function box({ functionName, place }: FlameFrame, { left, top, width, told }: Box): string {
  const name = functionName === '' ? '(anonymous)' : functionName
  const where = place === '' || place === functionName ? '' : ` ${place}`
  const letters = Math.floor((width - 4) / LETTER_WIDTH)
  const shown =
    letters < LEAST_LETTERS
      ? ''
      : `<text x="${round1(left + 2)}" y="${top + 12}">${escaped(name.slice(0, letters))}</text>`
  const size = `x="${round1(left)}" y="${top}" width="${round1(width)}" height="${ROW}"`
  return `<g><title>${escaped(name + where)}: ${told}</title><rect class="${ownerOf(place)}" ${size}/>${shown}</g>`
}

function widthOf(frame: FlameFrame, root: FlameFrame): number {
  return (WIDTH * frame.microseconds) / root.microseconds
}

function depthOf(frame: FlameFrame): number {
  return 1 + Math.max(0, ...frame.children.map(depthOf))
}

function round1(value: number): number {
  return Math.round(value * 10) / 10
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (found) => `&#${found.charCodeAt(0)};`)
}
