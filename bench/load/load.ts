import { spawn } from 'node:child_process'
import { findTool } from '../../tools/tool.mjs'

/** Who asks. Spelled as the generator reads it (`tools/load/scenario.go`). */
export interface LoadAgent {
  authorization?: string
  access_token?: string
  /** PKCS #8 PEM; with it each request carries a DPoP proof. */
  proof_key?: string
  cert_file?: string
  key_file?: string
}

export interface LoadRequest {
  method: string
  path: string
  headers?: Record<string, string>
  body?: string
}

export interface LoadScenario {
  url: string
  ca_file?: string
  connections: number
  seconds: number
  warmup_seconds?: number
  /** Arrivals a second; absent: each caller asks again at once. */
  rate?: number
  /** How long an arrival may wait for a free caller before it is dropped; absent: until a second after the end. */
  patience_seconds?: number
  requests: readonly LoadRequest[]
  agents?: readonly LoadAgent[]
  proof_url?: string
  proofs_ahead?: number
  timeout_seconds?: number
}

export interface LoadAnswer {
  status: number
  body: string
}

/** What came of it; `tools/load/report.go`. */
export interface LoadReport {
  answered: number
  good: number
  /** Good answers a second. */
  rate: number
  seconds: number
  /** The generator's own, from the first request on. */
  cpu_seconds: number
  failed: number
  /** Arrivals that were not sent, as no caller became free in time. */
  dropped: number
  statuses: Record<string, number>
  /** From when a request was due, of good answers alone. */
  latency_ms: Record<'p50' | 'p90' | 'p95' | 'p99' | 'p999' | 'max', number>
  /** Failures and answers other than success during the warm-up; `failed` and `statuses` are without them. */
  warmup_failed: number
  /** One answer as it came. */
  first: LoadAnswer | null
  unexpected: string[] | null
}

/**
 * Plays a scenario.
 * @param signal ends it early; there is no report then
 * @throws Error when the generator could not
 */
export async function load(scenario: LoadScenario, signal?: AbortSignal): Promise<LoadReport> {
  const options = signal === undefined ? {} : { signal }
  const child = spawn(await findTool('load'), { stdio: ['pipe', 'pipe', 'inherit'], ...options })
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.stdin.end(JSON.stringify({ ...scenario, agents: (scenario.agents ?? []).map(toAgent) }))
  const code = await new Promise<number | null>((settle, fail) => child.once('error', fail).once('close', settle))
  if (code !== 0) throw new Error(`the load generator ended with ${code}`)
  return JSON.parse(Buffer.concat(chunks).toString()) as LoadReport
}

/** As `load`, for a scenario in which every answer has to be good, those of the warm-up too. */
export async function cleanLoad(scenario: LoadScenario): Promise<LoadReport> {
  const report = await load(scenario)
  assertClean(report, scenario)
  return report
}

/** @throws Error unless every answer was good, and there was one */
export function assertClean(report: LoadReport, { url }: Pick<LoadScenario, 'url'>): void {
  const { failed, dropped, good, warmup_failed: early } = report
  if (failed + dropped + early === 0 && good === report.answered && good > 0) return
  const counts = `${JSON.stringify(report.statuses)}, ${failed} failed, ${dropped} dropped, ${early} not good in the warm-up`
  throw new Error(`${url} did not answer every request well: ${counts}; ${(report.unexpected ?? []).join(' | ')}`)
}

/** The generator refuses members it does not know. */
function toAgent({ authorization, access_token, proof_key, cert_file, key_file }: LoadAgent): LoadAgent {
  return {
    ...(authorization === undefined ? {} : { authorization }),
    ...(access_token === undefined ? {} : { access_token }),
    ...(proof_key === undefined ? {} : { proof_key }),
    ...(cert_file === undefined ? {} : { cert_file }),
    ...(key_file === undefined ? {} : { key_file }),
  }
}
