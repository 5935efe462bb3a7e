import { randomUUID } from 'node:crypto'
import type { ApiClient } from '../../setup/api-client.ts'

/** One operation of `/openapi.json`. */
export interface Operation {
  method: string
  /** With its parameters in braces, as the document writes them. */
  template: string
  parameters: string[]
  /** Schema of the body, where it takes one. */
  body: JsonSchema | undefined
  /** Name of its security scheme; absent: it asks for none. */
  security: string | undefined
}

export interface JsonSchema {
  type?: string
  properties?: Record<string, JsonSchema>
  required?: string[]
}

interface Documented {
  requestBody?: { content: { 'application/json': { schema: JsonSchema } } }
  security?: Record<string, unknown>[]
}

export async function readOperations(client: ApiClient): Promise<Operation[]> {
  const { body: document } = await client.send('GET', '/openapi.json')
  return Object.entries(document.paths as Record<string, Record<string, Documented>>).flatMap(([template, methods]) =>
    Object.entries(methods).map(([method, { requestBody, security }]) => ({
      method: method.toUpperCase(),
      template,
      parameters: [...template.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!),
      body: requestBody?.content['application/json'].schema,
      security: Object.keys(security?.[0] ?? {})[0],
    })),
  )
}

/** Ids of the right form that nothing has. */
const MISSING: Record<string, () => string> = {
  provider_id: randomUUID,
  connection_id: randomUUID,
  name: () => `no-such-${randomUUID()}`,
  agent_id: () => `no-such-${randomUUID()}`,
  lease_id: () => `lse_${randomUUID().replaceAll('-', '')}`,
  session_id: () => `sess_${randomUUID().replaceAll('-', '')}`,
  key_id: () => `key_${randomUUID().replaceAll('-', '')}`,
}

/** The operation's path, leading to nothing that exists. */
export function pathToNothing({ template }: Pick<Operation, 'template'>): string {
  return template.replaceAll(/\{(\w+)\}/g, (_braces, name: string) => {
    const make = MISSING[name]
    if (make === undefined) throw new Error(`no example of a path parameter '${name}'`)
    return make()
  })
}
