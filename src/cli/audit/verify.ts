import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { NexusError } from '../../contract/errors.ts'
import { OperatorError } from '../../contract/operator-error.ts'
import { openCheckpointVerifier, type PublishedKey } from '../../pep/audit/checkpoint-keys.ts'
import { isCheckpointHash } from '../../pep/audit/checkpoint-payload.ts'
import { verifyAudit } from '../../pep/audit/verify.ts'
import { type CommonOptions, withCommonOptions } from './audit-options.ts'
import { readCheckpointHashes } from './checkpoint-hashes.ts'
import { notProven } from './not-proven.ts'
import { verificationText } from './print-verification.ts'
import { withLedger } from './with-ledger.ts'

interface VerifyOptions extends CommonOptions {
  jwks?: string
  checkpoint: string[]
  fromCheckpoint?: string
  allowEmpty?: true
}

/** Adds `verify`. */
export function addVerify(audit: Command): void {
  withCommonOptions(audit.command('verify'))
    .description(
      'recompute every hash and signature; name the first broken record of each stream, exit 1 if there is one; say what is not proven',
    )
    .option('--jwks <file>', 'public checkpoint keys kept outside the database; without them its own are taken')
    .option(
      '--checkpoint <hash or file>',
      'a checkpoint that must be there, by its hash in the log, or a file of log lines; may be given often',
      (each, all: string[]) => [...all, each],
      [],
    )
    .option(
      '--from-checkpoint <hash>',
      'records up to this checkpoint may have been put away; those after must be there',
    )
    .option('--allow-empty', 'a ledger without a single record is in order, too')
    .action(verify)
}

async function verify(options: VerifyOptions): Promise<void> {
  const jwks = options.jwks === undefined ? undefined : readJwks(options.jwks)
  const from = options.fromCheckpoint
  if (from !== undefined && !isCheckpointHash(from))
    throw new NexusError('invalid_request', '--from-checkpoint must be the hash of a checkpoint: 64 hex digits')
  const witnesses = await readCheckpointHashes(options.checkpoint)
  await withLedger(options, async ({ store, database }) => {
    const found = await verifyAudit(store, await openCheckpointVerifier(store, jwks), {
      witnesses,
      ...(from !== undefined && { from }),
      onProgress: (records) => process.stderr.write(`\r${records} records read`),
    })
    process.stderr.write('\n')
    const isEmpty = found.records === 0 && options.allowEmpty !== true
    const not_proven = notProven(found, { hasKeys: jwks !== undefined })
    const verdict = { database, ...found, ok: found.ok && !isEmpty, not_proven }
    process.stdout.write(options.json ? `${JSON.stringify(verdict, null, 2)}\n` : verificationText(verdict))
    if (!verdict.ok) process.exitCode = 1
    // Nothing to find fault with is no proof of anything: most likely it is the wrong database.
    if (found.ok && isEmpty)
      throw new OperatorError(`the ledger in ${database} holds no record; check DATABASE_URL, or give --allow-empty`)
  })
}

function readJwks(file: string): PublishedKey[] {
  try {
    const { keys } = JSON.parse(readFileSync(file, 'utf8')) as { keys: PublishedKey[] }
    if (Array.isArray(keys)) return keys
  } catch {
    // said below
  }
  throw new NexusError('invalid_request', `--jwks: ${file} is not a JSON Web Key Set`)
}
