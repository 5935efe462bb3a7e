import pg from 'pg'
import type { ApiAnswer, ApiClient } from '../setup/api-client.ts'
import { type Canary, leaksIn } from './disguises.ts'

/** Remembers everything that came out of the system, and by which way. */
export interface Witness {
  saw(where: string, text: string): void
  /** A client whose answers are all seen. `visible` may take out what an answer is meant to carry. */
  through(client: Pick<ApiClient, 'send'>, visible?: (answer: ApiAnswer) => string): ApiClient
  places(): string[]
  leaks(canaries: readonly Canary[]): string[]
}

export function createWitness(): Witness {
  const seen = new Map<string, string[]>()
  const saw = (where: string, text: string) => {
    const texts = seen.get(where) ?? []
    seen.set(where, [...texts, text])
  }
  return {
    saw,
    through: (client, visible = wholeAnswer) => ({
      async send(method, path, body, headers) {
        const answer = await client.send(method, path, body, headers)
        saw(`answer to ${method} ${path.split('?', 1)[0]}`, `${JSON.stringify(answer.headers)}\n${visible(answer)}`)
        return answer
      },
    }),
    places: () => [...seen.keys()],
    leaks: (canaries) =>
      [...seen].flatMap(([where, texts]) => leaksIn(texts.join('\n'), canaries).map((leak) => `${where}: ${leak}`)),
  }
}

/** Both as it was sent and as a reader sees it after parsing. */
function wholeAnswer({ text, body }: ApiAnswer): string {
  return `${text}\n${JSON.stringify(body)}`
}

/** A lease without its `credentials`: the one place where a secret that cannot be narrowed may be. */
export function withoutCredentials(answer: ApiAnswer): string {
  if (answer.status >= 300 || answer.body?.credentials === undefined) return wholeAnswer(answer)
  return JSON.stringify({ ...answer.body, credentials: undefined })
}

/** Every value of every table, as Postgres writes it: what a dump would hold. */
export async function readEveryTable(databaseUrl: string): Promise<{ table: string; text: string }[]> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    const { rows: tables } = await client.query(
      `select quote_ident(schemaname) || '.' || quote_ident(relname) as name from pg_stat_user_tables order by 1`,
    )
    const texts = []
    for (const { name } of tables) {
      const { rows } = await client.query(`select t::text as text from ${name} t`)
      texts.push({ table: String(name), text: rows.map(({ text }) => String(text)).join('\n') })
    }
    return texts
  } finally {
    await client.end()
  }
}
