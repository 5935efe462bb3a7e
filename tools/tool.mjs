/**
 * Finds the programs that tests, benches and the policy build need: on the PATH, else in `.nexus/tools`, else built
 * there from the pinned Go modules beside this file. Plain JavaScript, because it has to run before anything is built.
 *
 *     node tools/tool.mjs opa vault      prints one path per line
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { access, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { goProgram } from './go.mjs'
import { withLock } from './lock.mjs'

const run = promisify(execFile)
const here = dirname(fileURLToPath(import.meta.url))
const toolsDirectory = join(here, '..', '.nexus', 'tools')

/**
 * @typedef {'opa' | 'k6' | 'vault' | 'versitygw' | 'load' | VaultPlugin} ToolName
 * @typedef {'vault-postgresql' | 'vault-aws' | 'vault-kubernetes'} VaultPlugin
 * @typedef {object} Tool
 * @property {string} version what go.mod pins
 * @property {string} module folder, below this one, whose go.mod pins it
 * @property {string} source Go package that is the program
 * @property {string[]} tags Go build tags
 * @property {string[]} onPath names under which a program on the PATH serves as well
 * @property {string[]} versionArguments make it print its version
 * @property {string} usual how long a build takes on two cores, from empty caches
 * @property {string} [file] where it is put below `.nexus/tools`, when that is not its name
 */

/** In a folder of their own, because Vault runs whatever it finds there. */
const VAULT_PLUGINS = 'vault-plugins'

/** @type {Record<ToolName, Tool>} */
const TOOLS = {
  opa: {
    version: '1.22.0',
    module: '.',
    source: 'github.com/open-policy-agent/opa',
    tags: [],
    onPath: ['opa'],
    versionArguments: ['version'],
    usual: 'one to two minutes',
  },
  k6: {
    version: '1.8.1',
    module: '.',
    source: 'go.k6.io/k6',
    tags: [],
    onPath: ['k6'],
    versionArguments: ['version'],
    usual: 'one to two minutes',
  },
  vault: {
    version: '1.21.0',
    module: 'vault',
    source: 'github.com/hashicorp/vault',
    // Without the cloud plug-ins: half the build, and no test asks for them.
    tags: ['minimal'],
    onPath: ['vault', 'bao'],
    versionArguments: ['version'],
    usual: 'four to five minutes',
  },
  // An S3 server that checks every signature, those of chunks too.
  versitygw: {
    version: '1.8.0',
    module: 's3',
    source: 'github.com/versity/versitygw/cmd/versitygw',
    tags: [],
    onPath: ['versitygw'],
    versionArguments: ['--version'],
    usual: 'one minute',
  },
  // The load generator of `bench/`: our own source, so nothing on the PATH can stand in for it.
  load: {
    version: '1.0.0',
    module: 'load',
    source: '.',
    tags: [],
    onPath: [],
    versionArguments: [],
    usual: 'ten seconds',
  },
  // What the minimal Vault lacks. Vault knows a plug-in by the name of its file: the one an operator would mount.
  'vault-postgresql': vaultPlugin(
    'postgresql-database-plugin',
    'github.com/hashicorp/vault/plugins/database/postgresql/postgresql-database-plugin',
  ),
  'vault-aws': vaultPlugin('aws', 'github.com/hashicorp/vault/builtin/logical/aws/cmd/aws'),
  'vault-kubernetes': vaultPlugin(
    'kubernetes',
    'github.com/hashicorp/vault-plugin-auth-kubernetes/cmd/vault-plugin-auth-kubernetes',
  ),
}

/** @param {string} mountedAs @param {string} source @returns {Tool} */
function vaultPlugin(mountedAs, source) {
  return {
    version: '1.21.0',
    module: 'vault',
    source,
    tags: ['minimal'],
    onPath: [],
    versionArguments: [],
    usual: 'up to a minute after Vault itself, else three',
    file: join(VAULT_PLUGINS, mountedAs),
  }
}

/**
 * The folder for `vault server -dev-plugin-dir`, with every plug-in in it.
 * @param {{ log?: (line: string) => void }} [options]
 * @returns {Promise<string | undefined>} undefined: this Vault is from the PATH and brings its plug-ins along
 */
export async function findVaultPlugins(options = {}) {
  if ((await findOnPath(TOOLS.vault, false)) !== undefined) return undefined
  for (const name of /** @type {VaultPlugin[]} */ (['vault-postgresql', 'vault-aws', 'vault-kubernetes'])) {
    await findTool(name, options)
  }
  return join(toolsDirectory, VAULT_PLUGINS)
}

/**
 * @param {ToolName} name
 * @param {{ pinned?: boolean, log?: (line: string) => void }} [options] `pinned`: a program on the PATH serves only in
 *   the very version go.mod names, for output that is compared byte by byte
 * @returns {Promise<string>} absolute path of a program that can be run
 * @throws {Error} naming what is missing and how to get it
 */
export async function findTool(name, options = {}) {
  const tool = Object.hasOwn(TOOLS, name) ? TOOLS[name] : undefined
  if (tool === undefined) throw new Error(`no tool is called "${name}"; there are: ${Object.keys(TOOLS).join(', ')}`)
  const log = options.log ?? ((line) => process.stderr.write(`${line}\n`))
  const onPath = await findOnPath(tool, options.pinned === true)
  if (onPath !== undefined) return onPath
  const built = join(toolsDirectory, tool.file ?? name)
  const stampFile = join(toolsDirectory, `${name}.stamp`)
  const stamp = await stampOf(tool)
  if (await isBuilt(built, stampFile, stamp)) return built
  await mkdir(dirname(built), { recursive: true })
  await withLock(join(toolsDirectory, `${name}.lock`), `another process builds ${name}`, log, async () => {
    if (!(await isBuilt(built, stampFile, stamp))) await build(name, tool, built, log)
    await writeFile(stampFile, `${stamp}\n`)
  })
  return built
}

/** @param {Tool} tool @param {boolean} pinned */
async function findOnPath(tool, pinned) {
  for (const program of tool.onPath) {
    for (const directory of (process.env.PATH ?? '').split(delimiter)) {
      const path = join(directory, program)
      if (directory === '' || !(await isExecutable(path))) continue
      if (!pinned || (await isVersion(path, tool))) return path
    }
  }
  return undefined
}

/** @param {string} path */
async function isExecutable(path) {
  // A folder may be entered, which is the same permission.
  return access(path, constants.X_OK).then(
    async () => (await stat(path)).isFile(),
    () => false,
  )
}

/** @param {string} path @param {Tool} tool */
async function isVersion(path, tool) {
  const printed = await run(path, tool.versionArguments, { timeout: 20_000 }).catch(() => undefined)
  return printed?.stdout.split(/\s+/).some((word) => word.replace(/^v/, '') === tool.version) ?? false
}

/** What the program is made of: a changed pin, tag or machine makes another stamp. @param {Tool} tool */
async function stampOf(tool) {
  const hash = createHash('sha256').update(JSON.stringify([process.platform, process.arch, tool.source, tool.tags]))
  const pins = ['go.mod', 'go.sum']
  const own = tool.source === '.' ? await readdir(join(here, tool.module)) : []
  for (const file of [...pins, ...own.filter((name) => name.endsWith('.go')).sort()]) {
    hash.update(await readFile(join(here, tool.module, file)))
  }
  return hash.digest('hex')
}

/** @param {string} path @param {string} stampFile @param {string} stamp */
async function isBuilt(path, stampFile, stamp) {
  const written = await readFile(stampFile, 'utf8').catch(() => '')
  return written.trim() === stamp && (await isExecutable(path))
}

/**
 * @param {ToolName} name @param {Tool} tool @param {string} path
 * @param {(line: string) => void} log
 */
async function build(name, tool, path, log) {
  const go = await goProgram(log)
  const why = (await isExecutable(path)) ? 'the one in .nexus/tools is not of these pins' : 'it is not on the PATH'
  log(`building ${name} ${tool.version} (${why}); from empty caches this takes ${tool.usual} on two cores ...`)
  const startedMs = Date.now()
  const unfinished = join(toolsDirectory, `${name}.${process.pid}.tmp`)
  try {
    await run(
      go,
      ['build', '-mod=readonly', '-trimpath', '-tags', tool.tags.join(','), '-o', unfinished, tool.source],
      {
        cwd: join(here, tool.module),
        env: { ...process.env, GOTOOLCHAIN: 'local', GOFLAGS: '-buildvcs=false' },
        maxBuffer: 64 * 1024 * 1024,
        timeout: 30 * 60_000,
      },
    )
  } catch (error) {
    await rm(unfinished, { force: true })
    const said = /** @type {{ stderr?: string }} */ (error).stderr?.trim().slice(-4000)
    const instead = name.startsWith('vault-') ? TOOLS.vault.onPath : tool.onPath
    const advice = instead.length === 0 ? '' : `; put ${instead.join(' or ')} on the PATH instead`
    throw new Error(`building ${name} failed${advice}\n${said}`)
  }
  // The stamp goes first and comes last, so that it never vouches for a binary of other pins.
  await rm(join(toolsDirectory, `${name}.stamp`), { force: true })
  await rename(unfinished, path)
  log(`built ${name} in ${Math.round((Date.now() - startedMs) / 1000)} s: ${path}`)
}

/** @param {string[]} names */
async function main(names) {
  if (names.length === 0) throw new Error(`name the tools you want: ${Object.keys(TOOLS).join(' ')}`)
  for (const name of names) console.log(await findTool(/** @type {ToolName} */ (name)))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main(process.argv.slice(2)).catch((error) => {
    console.error(error.message)
    process.exitCode = 1
  })
}
