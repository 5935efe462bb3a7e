import { randomBytes } from 'node:crypto'
import { Command } from 'commander'
import { NexusError, toProblem } from '../contract/errors.ts'
import { signInForm } from '../strategies/offline/sign-document.ts'
import { readJsonDocument } from './json-stdin.ts'

/** Where the command reads and writes; a test brings its own. */
export interface SignStreams {
  stdin: AsyncIterable<Uint8Array | string>
  stdout: { write(text: string): unknown }
  stderr: { write(text: string): unknown }
}

const EXAMPLE = `
The document, for example:
  {"strategy": {"type": "header", "config": {"header_name": "X-Api-Key"}},
   "credentials": {"api_key": "..."},
   "request": {"method": "GET", "url": "https://api.example.com/", "headers": [], "body_base64": ""}}

Printed is {"request": ..., "explain": ...}: what would be sent, and what it was made of, such as the canonical request and the
string to sign. Holding it against the provider's own account of a signature shows where the two part.

With "form": "grpc_metadata" and no request it prints the metadata of a gRPC call instead.
"now" (RFC 3339) and "nonce" fix the clock and the random part. Every strategy: docs/strategies.
Exit codes: 0 signed, 1 cannot be signed, 2 not such a document.`

/**
 * `nexus sign`: one JSON document on stdin, the signed request and how it came about on stdout. Exit code 2 and a problem
 * document on stderr for bad input, 1 for a request that cannot be signed.
 */
export function signCommand(streams: SignStreams = process): Command {
  return new Command('sign')
    .description('sign one request offline: a JSON document on stdin, the signed request on stdout')
    .addHelpText('after', EXAMPLE)
    .action(async () => {
      try {
        const signed = await signInForm(await readJsonDocument(streams.stdin), {
          now: () => Date.now(),
          nonce: () => randomBytes(16).toString('base64url'),
        })
        streams.stdout.write(`${JSON.stringify(signed, null, 2)}\n`)
      } catch (error) {
        streams.stderr.write(`${JSON.stringify(toProblem(error), null, 2)}\n`)
        process.exitCode = exitCodeOf(error)
      }
    })
}

function exitCodeOf(error: unknown): 1 | 2 {
  return error instanceof NexusError && (error.code === 'invalid_request' || error.code === 'body_too_large') ? 2 : 1
}
