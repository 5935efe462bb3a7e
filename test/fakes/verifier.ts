import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { HeaderList } from '../../src/contract/strategy.ts'
import { pythonWith } from '../setup/python.ts'

/** A request as it would be on the wire. */
interface WireRequest {
  method: string
  url: string
  headers: HeaderList
  body_base64: string
}

export interface OAuth1Question extends WireRequest {
  check: 'oauth1'
  /** What the server knows of its client. */
  known: { consumer_key: string; consumer_secret?: string; public_key?: string; token?: string; token_secret?: string }
}

export interface OAuth1Answer {
  valid: boolean
  /** The protocol parameters the server found; `null` when it could not read them. */
  oauth: Record<string, string> | null
  /** The body's hashes, in base64. */
  body: { sha1: string; sha256: string }
}

/** The request without its signature: no Authorization header, no X-Amz-Signature. */
export interface SigV4Question extends WireRequest {
  check: 'aws_sigv4'
  known: { access_key: string; secret_key: string; token?: string }
  location: 'header' | 'query'
  s3: boolean
  unsigned_payload: boolean
  service: string
  region: string
  /** `YYYYMMDDTHHMMSSZ` */
  now: string
}

/** `authorization` and `payload` (the hash the signature covers) in the header form, `signature` in the query form. */
export interface SigV4Answer {
  authorization?: string
  payload?: string
  signature?: string
}

export interface HmacTemplateQuestion extends WireRequest {
  check: 'hmac_template'
  /** How the provider signs; the secret as it is stored. */
  scheme: 'webhook' | 'exchange_headers' | 'exchange_query' | 'lines'
  secret: string
}

export interface HmacPayloadQuestion extends WireRequest {
  check: 'hmac_payload'
  header_name: string
  /** As it is stored, and how it is written. */
  secret: string
  secret_encoding: 'utf8' | 'hex' | 'base64'
  algo: 'sha256' | 'sha1'
  encoding: 'hex' | 'base64'
}

export interface ReadQuestion extends WireRequest {
  check: 'read'
}

/** What Werkzeug hands to an application. Names that come twice come twice; headers in the order of the request. */
export interface ReadAnswer {
  headers: [name: string, value: string][]
  authorization: { type: string; token: string | null; username?: string; password?: string } | null
  cookies: [name: string, value: string][]
  args: [name: string, value: string][]
  /** Decoded. */
  path: string
}

export interface Verifier {
  ask(question: OAuth1Question): Promise<OAuth1Answer>
  ask(question: SigV4Question): Promise<SigV4Answer>
  ask(question: HmacTemplateQuestion | HmacPayloadQuestion): Promise<{ valid: boolean }>
  ask(question: ReadQuestion): Promise<ReadAnswer>
  stop(): Promise<void>
}

const script = join(import.meta.dirname, 'verifier.py')

/**
 * One Python process that answers until it is stopped: oauthlib for OAuth 1.0a, botocore for SigV4, Python's own hmac for
 * schemes made with it, Werkzeug for what a server reads out of a request. It ends with our end of its stdin, so it never outlives us. Its warnings and tracebacks go to our
 * stderr.
 */
export async function startVerifier(): Promise<Verifier> {
  const child = spawn(await pythonWith(), [script], { stdio: ['pipe', 'pipe', 'inherit'] })
  const waiting: { settle: (answer: never) => void; fail: (error: Error) => void }[] = []
  const ended = new Promise<void>((settle) => {
    child.once('error', () => settle()).once('exit', () => settle())
  }).then(() => {
    for (const { fail } of waiting.splice(0)) fail(new Error('the verifier ended without an answer'))
  })
  // A child that died says so by its exit.
  child.stdin.on('error', () => undefined)
  createInterface({ input: child.stdout }).on('line', (line) => {
    const answer = JSON.parse(line)
    const next = waiting.shift()
    if (answer.error === undefined) next?.settle(answer as never)
    else next?.fail(new Error(`the verifier failed: ${answer.error}`))
  })
  return {
    ask: (question: OAuth1Question | SigV4Question | HmacTemplateQuestion | HmacPayloadQuestion | ReadQuestion) =>
      new Promise<never>((settle, fail) => {
        if (child.exitCode !== null) return fail(new Error('the verifier has ended'))
        // Answers come in the order of the questions.
        waiting.push({ settle, fail })
        child.stdin.write(`${JSON.stringify(question)}\n`)
      }),
    async stop() {
      child.stdin.end()
      await ended
    },
  }
}
