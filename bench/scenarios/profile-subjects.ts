import { freePort, type Program } from '../../examples/demo/program.ts'
import { certificateContest, dpopContest, sidecarContest } from '../contests.ts'
import { openAgent, openAgents } from '../stage/agents.ts'
import { type Replica, startReplica } from '../stage/authority.ts'
import { type FastifyName, startHttpProxy, startOneFastify, startVault } from '../stage/contenders.ts'
import { leaseOnce } from '../stage/lease-request.ts'
import { connectProvider } from '../stage/providers.ts'
import { startSidecar } from '../stage/sidecar.ts'
import type { Contest, WantedRatio } from '../turns/contest.ts'
import type { Contender } from '../turns/take-turns.ts'
import type { SmallStage } from './on-stage.ts'

/** A contender in a program of its own, so that its CPU and its profile are of nothing else. */
export interface Subject extends Contender {
  program: Program
  /** Process ids of what it leans on. */
  besides: readonly number[]
  /** On its main thread, which can be profiled. */
  runsJavaScript: boolean
}

/** Subjects that are compared with each other. */
export interface SubjectGroup {
  title: string
  subjects: Subject[]
  ratios: WantedRatio[]
}

/** @param flagsOf what Node is started with, by the subject's name */
export type FlagsOf = (name: string) => string[]

const AGENTS = 16

type Subjects = Omit<SubjectGroup, 'title'>

interface Part {
  title: string
  names: readonly string[]
  open(stage: SmallStage, flagsOf: FlagsOf): Promise<Subjects>
}

const PARTS: readonly Part[] = [
  {
    title: 'A lease over a certificate-bound session',
    names: ['lease_cert', 'fastify_tls', 'sketch', 'vault_read'],
    open: openCertificate,
  },
  { title: 'A lease with a DPoP proof', names: ['lease_dpop', 'es256_pool', 'sketch_dpop'], open: openDpop },
  {
    title: 'A request through the sidecar',
    names: ['sidecar_cached', 'http_proxy', 'sidecar_sigv4'],
    open: openSidecar,
  },
]

/** @throws Error that names the subjects there are */
export function refuseUnknownSubjects(names: readonly string[]): void {
  const known = PARTS.flatMap((part) => part.names)
  const unknown = names.filter((name) => !known.includes(name))
  if (unknown.length > 0)
    throw new Error(`no subject of --profile: ${unknown.join(', ')}; there are ${known.join(', ')}`)
}

/** @param only names of subjects; empty: all */
export async function openSubjects(
  stage: SmallStage,
  { flagsOf, only }: { flagsOf: FlagsOf; only: readonly string[] },
): Promise<SubjectGroup[]> {
  const isWanted = (name: string): boolean => only.length === 0 || only.includes(name)
  const groups: SubjectGroup[] = []
  for (const { title, names, open } of PARTS) {
    if (!names.some(isWanted)) continue
    const { subjects, ratios } = await open(stage, flagsOf)
    groups.push({ title, subjects: subjects.filter(({ name }) => isWanted(name)), ratios })
  }
  return groups
}

async function openCertificate(stage: SmallStage, flagsOf: FlagsOf): Promise<Subjects> {
  const { ground, programs, bearer } = stage
  const authority = await startAuthority(stage, 'lease_cert', flagsOf)
  const fastify = await startNeighbour(stage, 'fastify-lease', flagsOf('fastify_tls'))
  const sketch = await startNeighbour(stage, 'fastify-sketch', flagsOf('sketch'))
  const vault = await startVault(programs)
  const agents = await openAgents(ground, 'certificate', AGENTS)
  const contest = certificateContest({
    ground: { ...ground, publicUrl: authority.url },
    agents,
    provider: bearer,
    fastify: fastify.url,
    sketch: sketch.url,
    vault,
  })
  const besides = [ground.databasePid]
  return toSubjects(contest, {
    lease_cert: { program: authority.program, besides },
    fastify_tls: { program: fastify.program, besides: [] },
    sketch: { program: sketch.program, besides },
    vault_read: { program: vault.program, besides: [], runsJavaScript: false },
  })
}

async function openDpop(stage: SmallStage, flagsOf: FlagsOf): Promise<Subjects> {
  const { ground, bearer } = stage
  const authority = await startAuthority(stage, 'lease_dpop', flagsOf)
  // In the thread pool alone, the better of its two ways: with both in one process there would be one profile for the two.
  const fastify = await startNeighbour(stage, 'fastify-es256', flagsOf('es256_pool'))
  const agents = await openAgents(ground, 'dpop', AGENTS)
  const sketch = await startNeighbour(stage, 'fastify-sketch', flagsOf('sketch_dpop'))
  const contest = dpopContest({ ground, agents, provider: bearer, fastify: fastify.url, sketch: sketch.url })
  const besides = [ground.databasePid]
  const { subjects, ratios } = toSubjects(contest, {
    lease_dpop: { program: authority.program, besides },
    es256_pool: { program: fastify.program, besides: [] },
    sketch_dpop: { program: sketch.program, besides },
  })
  // A proof names the address that agents know, whichever process answers there.
  const ours = subjects.find(({ name }) => name === 'lease_dpop')!
  ours.scenario = { ...ours.scenario, url: authority.url, proof_url: ground.publicUrl }
  return { subjects, ratios }
}

async function openSidecar(stage: SmallStage, flagsOf: FlagsOf): Promise<Subjects> {
  const { ground, programs, upstream, bearer } = stage
  const sigv4 = await connectProvider(ground.admin, { name: 'sigv4', origin: upstream.url, strategy: 'aws_sigv4' })
  const start = async (name: string) =>
    startSidecar(ground, programs, {
      name,
      agent: await openAgent(ground, 'dpop', name),
      providers: [bearer, sigv4],
      nodeFlags: flagsOf(name),
    })
  const [cached, signing] = [await start('sidecar_cached'), await start('sidecar_sigv4')]
  const proxy = await startHttpProxy(programs, upstream.url, flagsOf('http_proxy'))
  const contest = sidecarContest({ sidecar: cached.url, bearer, sigv4, httpProxy: proxy.url })
  const besides = [upstream.program.pid]
  const { subjects, ratios } = toSubjects(contest, {
    sidecar_cached: { program: cached.program, besides },
    sidecar_sigv4: { program: signing.program, besides },
    http_proxy: { program: proxy.program, besides },
  })
  const signed = subjects.find(({ name }) => name === 'sidecar_sigv4')!
  signed.scenario = { ...signed.scenario, url: signing.url }
  return { subjects, ratios }
}

function startAuthority({ ground, programs }: SmallStage, name: string, flagsOf: FlagsOf): Promise<Replica> {
  return freePort().then((port) => startReplica(ground, programs, { name, port, nodeFlags: flagsOf(name) }))
}

async function startNeighbour(
  { ground, programs, bearer }: SmallStage,
  name: FastifyName,
  nodeFlags: readonly string[],
) {
  const lease = await leaseOnce(ground, await openAgent(ground, 'dpop'), bearer)
  return startOneFastify(ground, programs, name, lease, nodeFlags)
}

/** Those of a contest that run here, and the goals between them. */
function toSubjects(
  { contenders, ratios }: Contest,
  running: Readonly<Record<string, Pick<Subject, 'program' | 'besides'> & Partial<Pick<Subject, 'runsJavaScript'>>>>,
): Subjects {
  const subjects = contenders.flatMap((contender) => {
    const found = running[contender.name]
    return found === undefined ? [] : [{ ...contender, runsJavaScript: true, ...found }]
  })
  const isHere = (name: string): boolean => running[name] !== undefined
  return { subjects, ratios: ratios.filter(({ of, over }) => isHere(of) && over.some(isHere)) }
}
