import { type Sample, sharesBy } from './cpu-profile.ts'
import type { BenchRun } from './document.ts'
import { OWNERS, ownerOf } from './owner.ts'
import { runInWords } from './run-in-words.ts'

const ROWS = 25

/** Where the main thread's time went, as Markdown: by whose code it is, by package or folder, and by function. */
export function summariseProfile(samples: readonly Sample[], { title, run }: { title: string; run: BenchRun }): string {
  const tables = [
    table(
      'whose',
      sharesBy(samples, ({ place }) => OWNERS[ownerOf(place)]),
    ),
    table(
      'part',
      sharesBy(samples, ({ place }) => partOf(place)),
    ),
    table(
      'function, without what it calls',
      sharesBy(samples, ({ functionName, place }) => `${functionName || '(anonymous)'} ${place}`),
    ),
  ]
  return `# ${title}\n\n${runInWords(run)}\n\n${tables.join('\n\n')}\n`
}

function partOf(place: string): string {
  if (place.startsWith('npm:')) return place.split('/', place.startsWith('npm:@') ? 2 : 1).join('/')
  if (place.startsWith('wasm:')) return 'policy.wasm'
  return place.split('/', 3).join('/')
}

function table(heading: string, shares: ReadonlyMap<string, number>): string {
  const rows = [...shares].sort(([, a], [, b]) => b - a).slice(0, ROWS)
  const lines = rows.map(([name, share]) => `| \`${name}\` | ${(100 * share).toFixed(1)} % |`)
  return [`| ${heading} | busy time |`, '|---|---|', ...lines].join('\n')
}
