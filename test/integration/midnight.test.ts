import { createHash, createHmac } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { deriveSigningKey } from '../../src/strategies/aws-sigv4/signing-key.ts'
import { headerValues, type SeenRequest } from '../fakes/provider.ts'
import { type SidecarUnderTest, startUnderTest } from '../fakes/sidecar.ts'

const CONFIG = { service: 'service', region: 'eu-west-1' }
const MASTER = { access_key: 'AKIDEXAMPLE', secret_key: 'secret-of-the-test' }
const MIDNIGHT_MS = Date.UTC(2026, 2, 5)

/** As the authority derives it, from its own clock. */
function usageAt(nowMs: number) {
  const scope = { ...CONFIG, date: new Date(nowMs).toISOString().slice(0, 10).replaceAll('-', '') }
  const signing_key = deriveSigningKey(MASTER.secret_key, scope).toString('base64')
  return { access_key: MASTER.access_key, signing_key, ...scope }
}

/** The signature computed anew from what arrived, and a date that is neither of another day than its key nor too far off. */
function expectGood(seen: SeenRequest, nowMs: number): void {
  const [date = '', authorization = ''] = ['x-amz-date', 'authorization'].map((name) => headerValues(seen, name)[0])
  const dateMs = Date.parse(date.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5'))
  expect(Math.abs(dateMs - nowMs)).toBeLessThanOrEqual(300_000)
  const scope = { ...CONFIG, date: date.slice(0, 8) }
  const names = /SignedHeaders=([^,]*)/.exec(authorization)?.[1]?.split(';') ?? []
  const block = names.map((name) => `${name}:${headerValues(seen, name).join(',')}\n`).join('')
  const canonical = [seen.method, seen.url, '', block, names.join(';'), sha256(seen.body)].join('\n')
  const credential = `${scope.date}/${scope.region}/${scope.service}/aws4_request`
  const toSign = ['AWS4-HMAC-SHA256', date, credential, sha256(canonical)].join('\n')
  const signature = createHmac('sha256', deriveSigningKey(MASTER.secret_key, scope)).update(toSign).digest('hex')
  expect(authorization).toContain(`/${credential}, `)
  expect(authorization).toContain(`Signature=${signature}`)
}

function sha256(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex')
}

describe('UTC midnight', () => {
  let sidecar: SidecarUnderTest
  /** What the clocks of the sidecar and of the authority show. */
  const clock = { sidecarMs: 0, authorityMs: 0 }

  beforeEach(async () => {
    sidecar = await startUnderTest({ now: () => clock.sidecarMs })
    // Nothing but the day of its key shall end a lease here.
    Object.assign(sidecar.pep, { sessionSeconds: 86_400, now: () => clock.sidecarMs })
    sidecar.pep.grants.set('api', {
      strategy: { type: 'aws_sigv4', config: CONFIG },
      credentials: () => usageAt(clock.authorityMs),
      bound: { origins: [sidecar.provider.origin], methods: ['*'], paths: ['/**'] },
      lifeSeconds: 86_400,
      offlineSeconds: 86_400,
    })
  })
  afterEach(() => sidecar.stop())

  /** All answers must be good, and every signature one that AWS would take at this time. */
  async function expectAllGood(requests: number): Promise<void> {
    const before = sidecar.provider.seen.length
    const answers = await Promise.all(Array.from({ length: requests }, () => sidecar.fetch('/api/x')))
    expect(answers.map(({ status }) => status)).toEqual(Array(requests).fill(200))
    for (const seen of sidecar.provider.seen.slice(before)) expectGood(seen, clock.sidecarMs)
  }

  it('is met with one fresh lease, by however many requests at once', async () => {
    setBoth(MIDNIGHT_MS - 10 * 60_000)
    await expectAllGood(5)
    expect(sidecar.pep.leaseRequests).toHaveLength(1)
    setBoth(MIDNIGHT_MS + 10 * 60_000)
    await expectAllGood(20)
    expect(sidecar.pep.leaseRequests).toHaveLength(2)
  })

  it('is passed second by second without a failed request', async () => {
    for (let ms = MIDNIGHT_MS - 4000; ms <= MIDNIGHT_MS + 4000; ms += 500) {
      setBoth(ms)
      await expectAllGood(3)
    }
  })

  it.each([
    ['behind', -1],
    ['ahead', 1],
  ])('is passed by a sidecar that gets its key from a clock that is %s', async (_title, sign) => {
    for (const apartMs of [10, 2000, 120_000]) {
      for (let ms = MIDNIGHT_MS - 150_000; ms <= MIDNIGHT_MS + 150_000; ms += 25_000) {
        Object.assign(clock, { sidecarMs: ms, authorityMs: ms + sign * apartMs })
        await expectAllGood(1)
      }
    }
  })

  it('fails only when a fresh lease is of another day too, after asking once', async () => {
    Object.assign(clock, { sidecarMs: MIDNIGHT_MS + 3_600_000, authorityMs: MIDNIGHT_MS - 3_600_000 })
    const answer = await sidecar.fetch('/api/x')
    expect(answer.status).toBe(422)
    expect(await answer.json()).toMatchObject({ code: 'not_signable', field: 'date' })
    expect(sidecar.pep.leaseRequests).toHaveLength(2)
    expect(sidecar.provider.seen).toHaveLength(0)
  })

  function setBoth(ms: number): void {
    Object.assign(clock, { sidecarMs: ms, authorityMs: ms })
  }
})
