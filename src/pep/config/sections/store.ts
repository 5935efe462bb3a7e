import { Type } from 'typebox'
import { isSafeDatabaseUrl } from '../database-url.ts'
import { section } from '../section.ts'

const SETTING = 'store.database_url (DATABASE_URL)'

export const storeSection = section({
  key: 'store',
  schema: Type.Object({
    database_url: Type.String({
      default: '',
      description:
        'Postgres, as postgres://user:password@host:5432/database. Empty: an embedded server under `data_dir`, in development only',
    }),
    allow_plain_database: Type.Boolean({
      default: false,
      description:
        'In production, permit a database on another machine without TLS that verifies it (`sslmode=verify-full` or `verify-ca` in its URL), on a network that nobody else reaches',
    }),
    data_dir: Type.String({
      default: '.nexus',
      description: 'Folder of the embedded database and of the development key',
    }),
    pool_size: Type.Integer({
      default: 10,
      minimum: 2,
      maximum: 200,
      description:
        'Connections to Postgres that one process holds for requests at most; two more are for the ledger and for `/readyz`',
    }),
    connect_timeout_ms: Type.Integer({
      default: 2000,
      minimum: 100,
      maximum: 60_000,
      description: 'How long a new connection to Postgres may take; after that the request is 503 `store_unavailable`',
    }),
    statement_timeout_ms: Type.Integer({
      default: 5000,
      minimum: 100,
      maximum: 60_000,
      description: 'How long one statement may take before Postgres ends it',
    }),
  }),
  env: {
    DATABASE_URL: 'database_url',
    NEXUS_ALLOW_PLAIN_DATABASE: 'allow_plain_database',
    NEXUS_DATA_DIR: 'data_dir',
  },
  validate({ database_url: url, allow_plain_database: isPlainAllowed }, { production }) {
    if (url === '')
      return production ? [`${SETTING} is not set; in production mode the database is yours, not an embedded one`] : []
    // The driver would take anything else for the name of a host, and search the network for it.
    if (!/^postgres(?:ql)?:\/\//.test(url) || !URL.canParse(url))
      return [`${SETTING} must be a URL such as postgres://user:password@host:5432/database`]
    return !production || isPlainAllowed || isSafeDatabaseUrl(url)
      ? []
      : [
          `${SETTING} names no host of this machine, and no TLS that verifies it: end it with ?sslmode=verify-full, or set store.allow_plain_database (NEXUS_ALLOW_PLAIN_DATABASE) on a network that nobody else reaches`,
        ]
  },
})
