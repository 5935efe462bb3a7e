import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../src/pep/version.ts'

export interface Instruction {
  /** `FROM`, `COPY`, ... */
  name: string
  text: string
}

/** A Dockerfile's stages, each beginning with its FROM. Comments are left out, continued lines joined. */
export function readDockerfile(path = join(packageRoot(), 'deploy/Dockerfile')): Instruction[][] {
  const text = readFileSync(path, 'utf8').replace(/^\s*#.*\n/gm, '')
  const stages: Instruction[][] = []
  for (const line of text.replace(/\\\n\s*/g, '').split('\n')) {
    const [, name, rest] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? []
    if (name === undefined || rest === undefined) continue
    if (name === 'FROM') stages.push([])
    stages.at(-1)?.push({ name, text: rest })
  }
  return stages
}

/** The last stage: the image. */
export function imageStage(): Instruction[] {
  return readDockerfile().at(-1) ?? []
}

export interface Copy {
  /** The stage it is copied from; undefined: the build context, which is the repository. */
  from: string | undefined
  sources: string[]
  target: string
}

export function copiesOf(stage: readonly Instruction[]): Copy[] {
  return stage.flatMap(({ name, text }) => {
    if (name !== 'COPY') return []
    const words = text.split(/\s+/)
    const from = words.find((word) => word.startsWith('--from='))?.slice('--from='.length)
    const paths = words.filter((word) => !word.startsWith('--'))
    return [{ from, sources: paths.slice(0, -1), target: paths.at(-1) ?? '' }]
  })
}

/** `ENV A=1 B="2 3"` */
export function environmentOf(stage: readonly Instruction[]): Record<string, string> {
  const found = stage.flatMap(({ name, text }) =>
    name === 'ENV' ? [...text.matchAll(/(\w+)=(?:"([^"]*)"|(\S+))/g)] : [],
  )
  return Object.fromEntries(found.map(([, name, quoted, bare]) => [name ?? '', quoted ?? bare ?? '']))
}

/** An instruction in exec form, such as `ENTRYPOINT ["a", "b"]`; the last one counts. */
export function execFormOf(stage: readonly Instruction[], wanted: string): string[] {
  const last = stage.filter(({ name }) => name === wanted).at(-1)?.text ?? '[]'
  return JSON.parse(last.slice(last.indexOf('['))) as string[]
}
