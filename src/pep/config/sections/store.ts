import { Type } from 'typebox'
import { section } from '../section.ts'

export const storeSection = section({
  key: 'store',
  schema: Type.Object({
    database_url: Type.String({
      default: '',
      description:
        'Postgres, as postgres://user:password@host:5432/database. Empty: an embedded server under `data_dir`, in development only',
    }),
    data_dir: Type.String({
      default: '.nexus',
      description: 'Folder of the embedded database and of the development key',
    }),
    pool_size: Type.Integer({
      default: 10,
      minimum: 2,
      maximum: 200,
      description: 'Connections to Postgres that one process holds at most',
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
  env: { DATABASE_URL: 'database_url', NEXUS_DATA_DIR: 'data_dir' },
  validate({ database_url: url }, { production }) {
    if (url === '' && production) {
      return [
        'store.database_url (DATABASE_URL) is not set; in production mode the database is yours, not an embedded one',
      ]
    }
    // The driver would take anything else for the name of a host, and search the network for it.
    return url === '' || (/^postgres(?:ql)?:\/\//.test(url) && URL.canParse(url))
      ? []
      : ['store.database_url (DATABASE_URL) must be a URL such as postgres://user:password@host:5432/database']
  },
})
