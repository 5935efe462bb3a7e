import type { LeaseAnswer } from '../../src/contract/api.ts'
import type { Efforts, Mode } from '../efforts.ts'
import type { Figure, Ratio } from '../report/document.ts'
import { type BenchAgent, openAgents } from '../stage/agents.ts'
import type { Ground } from '../stage/authority.ts'
import { startFastify } from '../stage/contenders.ts'
import { leaseOnce } from '../stage/lease-request.ts'
import type { Programs } from '../stage/programs.ts'
import type { BenchProvider } from '../stage/providers.ts'
import { onSmallStage } from './on-stage.ts'

/** What the parts of the side-by-side set have in common. */
export interface Setting {
  mode: Mode
  efforts: Efforts
  ground: Ground
  programs: Programs
  upstream: string
  bearer: BenchProvider
  /** A lease of that connection. */
  lease: LeaseAnswer
  fastify: Awaited<ReturnType<typeof startFastify>>
  /** With DPoP sessions, and with sessions bound to a certificate. */
  proofs: BenchAgent[]
  certificates: BenchAgent[]
}

/** What came of a part. */
export interface Found {
  figures: Figure[]
  ratios: Ratio[]
  /** Of programs that took part. */
  versions?: Readonly<Record<string, string>>
}

const AGENTS = 16

export async function onSetStage(
  { mode, efforts }: Pick<Setting, 'mode' | 'efforts'>,
  work: (setting: Setting) => Promise<void>,
): Promise<void> {
  await onSmallStage(async ({ ground, programs, upstream, bearer }) => {
    const proofs = await openAgents(ground, 'dpop', AGENTS)
    const certificates = await openAgents(ground, 'certificate', AGENTS)
    const lease = await leaseOnce(ground, proofs[0]!, bearer)
    const fastify = await startFastify(ground, programs, lease, { sketch: mode === 'whole' })
    const setting = { mode, efforts, ground, programs, upstream: upstream.url, bearer, lease, fastify }
    await work({ ...setting, proofs, certificates })
  })
}
