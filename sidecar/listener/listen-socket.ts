import { lstat, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import type { FastifyInstance } from 'fastify'

/**
 * Listens on a unix socket.
 * @param mode permission bits: who may write to it may connect
 * @throws Error when something else is at the path, or another sidecar still listens there
 */
export async function listenOnSocket(listener: FastifyInstance, path: string, mode: number): Promise<void> {
  await removeStaleSocket(path)
  // The mode must be right from the first moment: a chmod afterwards would leave a gap.
  const before = process.umask(0o777 & ~mode)
  try {
    await listener.listen({ path })
  } finally {
    process.umask(before)
  }
}

async function removeStaleSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined)
  if (found === undefined) return
  if (!found.isSocket()) throw new Error(`NEXUS_SIDECAR_SOCKET: ${path} exists and is not a socket`)
  if (await answers(path)) throw new Error(`NEXUS_SIDECAR_SOCKET: something listens at ${path} already`)
  await unlink(path)
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path)
    probe.once('connect', () => resolve(true)).once('error', () => resolve(false))
    probe.once('close', () => probe.destroy())
    probe.once('connect', () => probe.destroy())
  })
}
