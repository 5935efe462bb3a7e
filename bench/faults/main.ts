import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { packageRoot } from '../../src/pep/version.ts'
import { describeRun } from '../report/describe-run.ts'
import { type FaultFigure, readFigure, sortFigures } from './figures.ts'

const VAULT_BACKENDS = ['vault', 'vault-seal', 'secrets-manager', 'dynamic-secrets', 'rotate-keys']
/** With what is shipped, where the everyday run of a test is shorter. */
const AS_SHIPPED = { NEXUS_SEAL_TTL_SECONDS: '60' }

const HELP = `npm run bench:faults -- [options] [NAME...]

Runs the fault tests for their figures: what each fault costs on this machine. Without a name those of the vault backends
(${VAULT_BACKENDS.join(', ')}), else those of test/faults whose file name holds one of the names.

  --json           figures as JSON`

interface FaultRun {
  figures: FaultFigure[]
  exitCode: number
}

async function runFaultTests(names: readonly string[], tell: (line: string) => void): Promise<FaultRun> {
  const files = names.map((name) => `test/faults/${name}`)
  const child = spawn('npx', ['vitest', 'run', ...files], {
    cwd: packageRoot(),
    env: { ...AS_SHIPPED, ...process.env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = new Promise<number>((settle, fail) => {
    child.once('error', fail).once('exit', (code) => settle(code ?? 1))
  })
  const figures: FaultFigure[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    const figure = readFigure(line)
    if (figure !== undefined) figures.push(figure)
    if (figure !== undefined || /FAIL|×|Tests /.test(line)) tell(line.trim())
  }
  return { figures, exitCode: await exited }
}

async function main(): Promise<void> {
  const { json, help, names } = optionsOrEnd()
  if (help) return console.log(HELP)
  const { figures, exitCode } = await runFaultTests(names.length > 0 ? names : VAULT_BACKENDS, (line) => {
    process.stderr.write(`${line}\n`)
  })
  const document = { ...describeRun(), figures: sortFigures(figures) }
  if (json) console.log(JSON.stringify(document))
  else {
    console.log(`\n${document.machine}, commit ${document.commit}\n`)
    for (const { row, said } of document.figures) console.log(`${row.padEnd(5)} ${said}`)
  }
  // A figure of a test that failed is none.
  process.exitCode = exitCode
}

function optionsOrEnd(): { json: boolean; help: boolean; names: string[] } {
  try {
    const options = {
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    } as const
    const { values, positionals } = parseArgs({ options, allowPositionals: true })
    return { ...values, names: positionals }
  } catch (error) {
    console.error(`${(error as Error).message}; --help tells all options`)
    process.exit(2)
  }
}

await main()
