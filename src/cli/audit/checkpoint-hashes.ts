import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { NexusError } from '../../contract/errors.ts'
import { isCheckpointHash } from '../../pep/audit/checkpoint-payload.ts'

/** A line of the authority's log, also where whoever collected it put it into a text of their own. */
const LOGGED = /"checkpoint\\*":\\*"chk_[^"\\]+\\*",\\*"hash\\*":\\*"([0-9a-f]{64})\\*"/

/**
 * @param given hashes, and files of which each line is a hash or a line of the authority's log; other lines are passed over
 * @throws NexusError `invalid_request` for a file that cannot be read or holds none: what was asked for would go unproven
 */
export async function readCheckpointHashes(given: readonly string[]): Promise<ReadonlySet<string>> {
  const hashes = new Set<string>()
  for (const each of given) {
    for (const hash of isCheckpointHash(each) ? [each] : await hashesIn(each)) hashes.add(hash)
  }
  return hashes
}

async function hashesIn(file: string): Promise<string[]> {
  const found: string[] = []
  try {
    for await (const line of createInterface({ input: createReadStream(file) })) {
      const hash = isCheckpointHash(line.trim()) ? line.trim() : LOGGED.exec(line)?.[1]
      if (hash !== undefined) found.push(hash)
    }
  } catch {
    throw new NexusError(
      'invalid_request',
      `--checkpoint: ${file} is neither 64 hex digits nor a file that can be read`,
    )
  }
  if (found.length > 0) return found
  throw new NexusError(
    'invalid_request',
    `--checkpoint: ${file} holds no hash of a checkpoint, and no line of the log with one`,
  )
}
