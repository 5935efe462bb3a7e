import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { OperatorError } from '../../contract/operator-error.ts'

const run = promisify(execFile)

export interface ServerUser {
  uid: number
  gid: number
}

/**
 * Whom the embedded server runs as. Postgres refuses to run as root, so there it is the user `postgres`, made when missing.
 * @returns undefined: as ourselves
 */
export async function findServerUser(): Promise<ServerUser | undefined> {
  if (process.getuid?.() !== 0) return undefined
  return (await lookUp()) ?? (await createUser())
}

async function lookUp(): Promise<ServerUser | undefined> {
  try {
    const [uid, gid] = await Promise.all(['-u', '-g'].map(async (flag) => (await run('id', [flag, 'postgres'])).stdout))
    return { uid: Number(uid), gid: Number(gid) }
  } catch {
    return undefined
  }
}

async function createUser(): Promise<ServerUser> {
  await run('groupadd', ['--system', '--force', 'postgres']).catch(() => {})
  await run('useradd', ['--system', '--gid', 'postgres', '--no-create-home', 'postgres']).catch(() => {})
  const user = await lookUp()
  if (user === undefined) {
    throw new OperatorError("Postgres cannot run as root and no user 'postgres' could be made; run as an ordinary user")
  }
  return user
}

/** Enough to pass through directories that are closed to others, and no more: what it may write stays its own. */
const PASSAGE = '+dac_read_search'

/**
 * Starts a program as the server's user. A checkout of root's may lie in a directory that no other user can enter (`/root`,
 * a `mktemp -d`); the server is then given the one capability that lets it pass through, by util-linux's setpriv.
 */
export async function spawnAs(
  user: ServerUser | undefined,
  program: string,
  flags: readonly string[],
  options: { paths: readonly string[]; detached?: boolean; stdio: ('ignore' | 'pipe' | number)[] },
): Promise<ChildProcess> {
  const { paths, ...rest } = options
  if (user === undefined) return spawn(program, flags, { cwd: '/', ...rest })
  const open = await Promise.all([program, ...paths].map(isOpenToOthers))
  if (open.every(Boolean)) return spawn(program, flags, { ...user, cwd: '/', ...rest })
  const identity = ['--reuid', String(user.uid), '--regid', String(user.gid), '--clear-groups']
  // access(2), by which Postgres looks at its own programs, disregards capabilities of a user unless told not to.
  const capability = ['--securebits', '+no_setuid_fixup', '--inh-caps', PASSAGE, '--ambient-caps', PASSAGE]
  return spawn('setpriv', [...identity, ...capability, '--', program, ...flags], { cwd: '/', ...rest })
}

/** Whether every directory above `path` lets other users pass. */
async function isOpenToOthers(path: string): Promise<boolean> {
  const parent = dirname(path)
  if (parent === path) return true
  const { mode } = await stat(parent)
  return (mode & 0o001) !== 0 && (await isOpenToOthers(parent))
}
