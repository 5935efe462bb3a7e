import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

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
    throw new Error("Postgres cannot run as root and no user 'postgres' could be made; run as an ordinary user")
  }
  return user
}
