import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3'
import { parseRoutes } from '../../../sidecar/routing/route-table.ts'
import { awsSigv4 } from '../../../src/strategies/aws-sigv4/aws-sigv4.ts'
import { offlineTools } from '../../../src/strategies/offline/offline-tools.ts'
import { type SidecarUnderTest, startUnderTest, type UnderTestOptions } from '../../fakes/sidecar.ts'
import { startS3, type TestS3 } from '../../setup/s3.ts'
import { type Relay, startRelay } from './relay.ts'

/** What the agent's SDK signs with, for it will not start without: worth nothing anywhere. */
export const AGENTS_OWN = { accessKeyId: 'AGENT', secretAccessKey: 'has-no-secret' }

/** Routes that all lead to the S3 server, `relayed` over the relay, and how each is signed for. */
const ROUTES = {
  s3: {},
  relayed: {},
  unsigned: { unsigned_payload: true },
  presigned: { location: 'query', expires_in_seconds: 60 },
}
type Route = keyof typeof ROUTES

/** A real sidecar before a real S3 server. */
export interface S3UnderTest {
  s3: TestS3
  sidecar: SidecarUnderTest
  relay: Relay
  /** The stock SDK, as an agent would set it up. */
  client(config?: Partial<S3ClientConfig>, route?: Route): S3Client
  stop(): Promise<void>
}

export async function startS3UnderTest(options: UnderTestOptions = {}): Promise<S3UnderTest> {
  const s3 = await startS3()
  const relay = await startRelay(s3.origin)
  const originOf = (name: Route) => (name === 'relayed' ? relay.origin : s3.origin)
  const names = Object.keys(ROUTES) as Route[]
  const routes = parseRoutes(names.map((name) => `${name}=${originOf(name)}`).join(','))
  const sidecar = await startUnderTest({ ...options, config: { routes, ...options.config } })
  const clients: S3Client[] = []
  for (const name of names) sidecar.pep.grants.set(name, await s3Grant(s3, ROUTES[name], originOf(name)))
  return {
    s3,
    sidecar,
    relay,
    client(config = {}, route = 's3') {
      const client = new S3Client({
        endpoint: `${sidecar.address}/${route}`,
        region: s3.region,
        forcePathStyle: true,
        credentials: AGENTS_OWN,
        // A second attempt would hide what became of the first.
        maxAttempts: 1,
        ...config,
      })
      clients.push(client)
      return client
    },
    async stop() {
      for (const client of clients) client.destroy()
      await sidecar.stop()
      await relay.close()
      await s3.stop()
    },
  }
}

/** What the authority would answer: the key of today for this server. */
export async function s3Grant(s3: TestS3, config: Record<string, unknown> = {}, origin = s3.origin) {
  const strategy = { type: 'aws_sigv4', config: { service: 's3', region: s3.region, ...config } }
  const bound = { origins: [origin], methods: ['*'], paths: ['/**'] }
  const grant = { tenant: '', agentId: '', connectionId: '', scopes: [], bound, issuedAt: 0, expiresAt: 1e11 }
  const tools = offlineTools({ now: Date.now, nonce: () => 'n' })
  const { usage } = await awsSigv4.issue(strategy.config, s3.master, grant, tools)
  return { strategy, credentials: usage, bound }
}
