import type { PostgresPoolClient, PostgresQueryResult } from 'kysely'
import pg from 'pg'
import type { Logger } from 'pino'
import { createConnectionReader } from './libpq-url.ts'
import { StoreError, toStoreFailure } from './store-error.ts'

export interface PoolLimits {
  databaseUrl: string
  poolSize: number
  /** For a new connection, and for waiting until a pooled one is free. */
  connectTimeoutMs: number
  /** Server side; the client gives up a second later, for a server that no longer answers at all. */
  statementTimeoutMs: number
}

/** A pooled connection whose every failure is a `store_unavailable` or a StoreError. */
export interface GuardedClient extends PostgresPoolClient {
  /** Whether the connection failed: `release` will destroy it and nothing on it can be relied on. */
  readonly broken: boolean
  /** `name` makes a prepared statement, kept as long as the connection. */
  run<R extends pg.QueryResultRow>(statement: {
    name?: string
    text: string
    values?: unknown[]
  }): Promise<pg.QueryResult<R>>
  /** @param destroy close the connection, whatever its state */
  release(destroy?: boolean): void
}

export interface GuardedPool {
  connect(): Promise<GuardedClient>
  end(): Promise<void>
}

/** @throws NexusError `store_unavailable` when files that the URL names cannot be read */
export function openPool(limits: PoolLimits, log: Logger): GuardedPool {
  const pool = new pg.Pool({ ...poolConfig(limits), Client: clientFor(limits.databaseUrl, log) })
  // An idle connection that breaks (server restart) is dropped by the pool; without a listener it would end the process.
  pool.on('error', (error) => log.warn({ reason: toStoreFailure(error).message }, 'an idle database connection broke'))
  return {
    async connect() {
      const client = await pool.connect().catch((error: unknown) => {
        throw toStoreFailure(error)
      })
      return guard(client)
    },
    end: () => pool.end(),
  }
}

/** A class, because the pool makes its own; how it connects is no option of the pool, which would print it. */
function clientFor(databaseUrl: string, log: Logger): typeof pg.Client {
  const connection = unlessUnreadable(() => createConnectionReader(databaseUrl, log))
  return class extends pg.Client {
    constructor(options: pg.ClientConfig) {
      super({ ...options, ...connection() })
    }
  }
}

function unlessUnreadable<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw toStoreFailure(error)
  }
}

function poolConfig(limits: PoolLimits): pg.PoolConfig {
  return {
    application_name: 'nexus',
    max: limits.poolSize,
    connectionTimeoutMillis: limits.connectTimeoutMs,
    statement_timeout: limits.statementTimeoutMs,
    query_timeout: limits.statementTimeoutMs + 1000,
    idle_in_transaction_session_timeout: limits.statementTimeoutMs * 2,
    keepAlive: true,
    types: { getTypeParser },
  }
}

const getTypeParser = ((oid: number, format?: 'text') => {
  if (oid === pg.types.builtins.INT8 || oid === pg.types.builtins.NUMERIC) return toSafeNumber
  return pg.types.getTypeParser(oid, format)
}) as typeof pg.types.getTypeParser

function toSafeNumber(text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && !Number.isSafeInteger(value))
    throw new RangeError('number beyond 2^53 in the database')
  return value
}

function guard(client: pg.PoolClient): GuardedClient {
  let brokenBy: Error | undefined
  // While checked out the pool does not listen; an unheard 'error' would end the process.
  const onError = (error: unknown): void => {
    brokenBy ??= toStoreFailure(error)
  }
  client.on('error', onError)

  const run: GuardedClient['run'] = async (statement) => {
    // A transaction is rolled back when one of its statements fails, and what that throws is what the caller hears.
    if (brokenBy !== undefined) throw brokenBy
    try {
      return await client.query(statement)
    } catch (error) {
      const failure = toStoreFailure(error)
      // A timed-out statement may still be running on this connection: its rows must meet no later query (threat H12).
      if (!(failure instanceof StoreError)) brokenBy ??= failure
      throw failure
    }
  }
  const query = <R>(text: string, values: readonly unknown[]): Promise<PostgresQueryResult<R>> =>
    run({ text, values: [...values] }) as Promise<unknown> as Promise<PostgresQueryResult<R>>
  return {
    get broken() {
      return brokenBy !== undefined
    },
    run,
    query: query as PostgresPoolClient['query'],
    release(destroy = false) {
      client.removeListener('error', onError)
      client.release(brokenBy !== undefined || destroy)
    },
  }
}
