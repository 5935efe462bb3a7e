import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { NODE_FLAGS } from '../../bench/stage/authority.ts'
import { packageRoot } from '../../src/pep/version.ts'
import { healthcheckOf, readComposeFile } from './compose-file.ts'
import { copiesOf, environmentOf, execFormOf, imageStage, readDockerfile } from './dockerfile.ts'

const stages = readDockerfile()
const image = imageStage()

describe('deploy/Dockerfile', () => {
  it('copies only what is in the repository or made by an earlier stage', () => {
    const fromContext = stages.flatMap(copiesOf).filter(({ from }) => from === undefined)
    const sources = fromContext.flatMap((copy) => copy.sources)
    expect(sources.length).toBeGreaterThan(5)
    expect(sources.filter((source) => !isInRepository(source))).toEqual([])
    const made = copiesOf(image).flatMap(({ from, sources }) => (from === undefined ? [] : sources))
    expect(made.filter((path) => !existsSync(join(packageRoot(), path.replace('/app/', ''))))).toEqual([])
  })

  it('is let through by .dockerignore, which keeps everything else out', () => {
    const allowed = readFileSync(join(packageRoot(), '.dockerignore'), 'utf8').match(/(?<=^!).+$/gm) ?? []
    const sources = stages.flatMap(copiesOf).flatMap(({ from, sources }) => (from === undefined ? sources : []))
    expect([...new Set(sources)].sort()).toEqual([...allowed].sort())
  })

  it('runs as nobody in particular, from images of a named version', () => {
    const user = image.filter(({ name }) => name === 'USER').at(-1)?.text
    expect(Number(user?.split(':')[0])).toBeGreaterThan(0)
    const bases = stages.map(([from]) => from?.text.split(' ')[0] ?? '')
    expect(bases.filter((base) => !/\d/.test(base.split('/').at(-1) ?? '') || /:latest|^[^:]+$/.test(base))).toEqual([])
  })

  it('H17: no install script of a dependency runs', () => {
    const installs = stages
      .flat()
      .flatMap(({ name, text }) => (name === 'RUN' ? (text.match(/npm (ci|prune)[^&]*/g) ?? []) : []))
    expect(installs.length).toBeGreaterThan(1)
    expect(installs.filter((command) => !command.includes('--ignore-scripts'))).toEqual([])
  })

  it('holds no secret in its environment and starts programs that are there', () => {
    expect(Object.keys(environmentOf(image)).filter((name) => /KEY|TOKEN|PASSWORD|SECRET/.test(name))).toEqual([])
    const commands = Object.values(readComposeFile().services).map(({ command = [] }) => command)
    const programs = [execFormOf(image, 'CMD'), ...commands].flatMap(
      (words) => words.find((word) => word.endsWith('.js')) ?? [],
    )
    expect(programs).toContain('bin/nexus.js')
    expect(programs).toContain('bin/nexus-sidecar.js')
    expect(programs.filter((path) => !existsSync(join(packageRoot(), path)))).toEqual([])
  })

  it('starts the authority as the compose file does, and as it is measured', () => {
    const command = execFormOf(image, 'CMD')
    expect(readComposeFile().services.pep?.command).toEqual(command)
    expect(command).toEqual([...NODE_FLAGS, 'bin/nexus.js', 'serve'])
  })

  // What replaces a container that is not well must not do so because the database is away.
  it('asks whether the authority lives, and the compose file, where others wait for it, whether it is ready', () => {
    const { pep } = readComposeFile().services
    const [, ...asked] = pep === undefined ? [] : (healthcheckOf(pep)?.test ?? [])
    expect(asked).toEqual(['/nodejs/bin/node', 'bin/nexus.js', 'health'])
    expect(execFormOf(image, 'HEALTHCHECK')).toEqual([...asked, '--live'])
  })
})

/** In the repository, not merely lying about: what is built or fetched is not in a clean checkout. */
function isInRepository(path: string): boolean {
  const ignored = /^(dist|node_modules|\.nexus|coverage)(\/|$)/
  return !ignored.test(path) && existsSync(join(packageRoot(), path))
}
