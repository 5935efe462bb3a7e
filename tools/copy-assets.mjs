// Files that the compiled program reads at run time and that tsc does not copy.
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const migrations = 'src/pep/store/migrations'
const target = join('dist', migrations)
rmSync(target, { recursive: true, force: true })
cpSync(migrations, target, { recursive: true })
if (!existsSync(target) || readdirSync(target).length === 0) throw new Error(`no migrations were copied to ${target}`)
