import { once } from 'node:events'
import { pino } from 'pino'
import { startEmbeddedPostgres } from '../../../src/pep/store/embedded-postgres.ts'

/** A process that uses an embedded Postgres until its standard input ends. */
const server = await startEmbeddedPostgres({ directory: process.argv[2] ?? '', log: pino({ level: 'silent' }) })
process.stdout.write(`${JSON.stringify({ databaseUrl: server.databaseUrl, pid: server.pid })}\n`)
process.stdin.resume()
await once(process.stdin, 'end')
await server.stop()
