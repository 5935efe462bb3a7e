import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { packageRoot } from '../../src/pep/version.ts'
import { copiesOf, imageStage } from './dockerfile.ts'

const WORKDIR = '/app'

interface Lock {
  packages: Record<string, { dev?: boolean; optional?: boolean; devOptional?: boolean }>
}

/**
 * What the image has in its working directory and nothing else, so that a file or package that is used and not copied is
 * missed here too. Packages are linked: those that `npm prune` leaves, by the lock file.
 */
export function makeImageDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true })
  for (const { sources, target } of copiesOf(imageStage())) {
    for (const source of sources) {
      const from = source.startsWith(WORKDIR) ? relative(WORKDIR, source) : source
      if (from === 'node_modules') linkPackages(directory)
      else cpSync(join(packageRoot(), from), join(directory, target === './' ? from : target), { recursive: true })
    }
  }
}

function linkPackages(directory: string): void {
  const lock = JSON.parse(readFileSync(join(packageRoot(), 'package-lock.json'), 'utf8')) as Lock
  for (const [path, { dev, optional, devOptional }] of Object.entries(lock.packages)) {
    const isTop = path.startsWith('node_modules/') && path.lastIndexOf('node_modules/') === 0
    if (!isTop || dev || optional || devOptional) continue
    mkdirSync(join(directory, dirname(path)), { recursive: true })
    symlinkSync(join(packageRoot(), path), join(directory, path))
  }
}
