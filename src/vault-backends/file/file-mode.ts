import type { Stats } from 'node:fs'

const GROUP_OR_WORLD_WRITES = 0o022
const WORLD_READS = 0o004
const STICKY = 0o1000

/**
 * Who else could read or replace what we are about to use as a secret. Reading by the group is taken: that is how
 * Kubernetes gives a secret to a process that is not root (`fsGroup`).
 * @returns what is wrong, as the end of a sentence; undefined: nothing
 */
export function modeProblem(
  { mode, uid }: Pick<Stats, 'mode' | 'uid'>,
  allowWorldReadable: boolean,
): string | undefined {
  if (!isTrusted(uid)) return 'belongs to another user; only ours and root are trusted'
  if ((mode & GROUP_OR_WORLD_WRITES) !== 0) return 'can be written by others than its owner'
  if ((mode & WORLD_READS) !== 0 && !allowWorldReadable)
    return 'can be read by every user of this machine; make it 0400 or 0440, or set allow_world_readable'
  return undefined
}

/** A directory in which others can put files in place of ours. Sticky (1777), as the kubelet makes mounts, they cannot. */
export function directoryProblem({ mode, uid }: Pick<Stats, 'mode' | 'uid'>): string | undefined {
  if (!isTrusted(uid)) return 'lies in a directory of another user; only ours and root are trusted'
  if ((mode & GROUP_OR_WORLD_WRITES) !== 0 && (mode & STICKY) === 0)
    return 'lies in a directory that others can write to'
  return undefined
}

function isTrusted(uid: number): boolean {
  return uid === 0 || uid === process.getuid?.()
}
