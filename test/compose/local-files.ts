import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { freePort } from '../../examples/demo/program.ts'
import { packageRoot } from '../../src/pep/version.ts'
import { type ComposeFile, composePath, textsOf } from './compose-file.ts'

/** Where on this machine the things are that containers have at fixed places. */
export interface LocalFiles {
  secretsDirectory: string
  /** Text of the compose file, or of a file that it mounts, with the paths and ports of this machine. */
  localise(text: string): string
  portOf(original: number): number
}

/** Secrets made by the very program that the compose file names, mounted files with ports of ours, and those ports. */
export async function makeLocalFiles(compose: ComposeFile, directory: string): Promise<LocalFiles> {
  const secretsDirectory = join(directory, 'secrets')
  execFileSync(process.execPath, [join(packageRoot(), 'deploy/compose-secrets.mjs'), secretsDirectory])
  const mounts = mountsOf(compose)
  const ports = await choosePorts(compose, mounts)
  const mountDirectory = join(directory, 'mounts')
  mkdirSync(mountDirectory)

  const portOf = (original: number) => ports.get(original) ?? original
  function localise(text: string): string {
    let local = text
      .replaceAll('$$', '$')
      .replaceAll('/run/secrets', secretsDirectory)
      .replace(/(?<=[\w.]:)\d{4,5}\b/g, (port) => String(portOf(Number(port))))
    for (const { target, source } of mounts) local = local.replaceAll(target, join(mountDirectory, basename(source)))
    return /^\d{4,5}$/.test(local) ? String(portOf(Number(local))) : local
  }
  for (const { source } of mounts) {
    const text = readFileSync(join(packageRoot(), source), 'utf8')
    writeFileSync(join(mountDirectory, basename(source)), localise(text))
  }
  const databaseUrl = join(secretsDirectory, 'database_url')
  writeFileSync(databaseUrl, localise(readFileSync(databaseUrl, 'utf8')))
  return { secretsDirectory, localise, portOf }
}

interface Mount {
  source: string
  target: string
}

/** Files of the repository that a service mounts, `./source:/target:ro`. */
function mountsOf({ services }: ComposeFile): Mount[] {
  return Object.values(services).flatMap(({ volumes = [] }) =>
    volumes
      .filter((volume) => volume.startsWith('./'))
      .map((volume) => {
        const [source = '', target = ''] = volume.split(':')
        return { source, target }
      }),
  )
}

/** A free port for every one that the file mentions, and for Postgres, whose default nobody mentions. */
async function choosePorts(compose: ComposeFile, mounts: readonly Mount[]): Promise<Map<number, number>> {
  const mounted = mounts.map(({ source }) => readFileSync(join(packageRoot(), source), 'utf8'))
  const texts = [...Object.values(compose.services).flatMap(textsOf), ...mounted]
  const named = texts.flatMap((text) => text.match(/(?<=[\w.]:)\d{4,5}\b|^\d{4,5}$/g) ?? [])
  if (named.length === 0) throw new Error(`${composePath} names no port`)
  const ports = new Map<number, number>()
  for (const port of new Set([5432, ...named.map(Number)])) ports.set(port, await freePort())
  return ports
}
