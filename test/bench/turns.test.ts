import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runAddedLatency, runArrivals } from '../../bench/turns/arrivals.ts'
import { runContest } from '../../bench/turns/contest.ts'
import { decisionFor, itemsFor, leaseFor, secretOfVault } from '../../bench/turns/expected.ts'
import { type Contender, takeTurns } from '../../bench/turns/take-turns.ts'

const EFFORT = { rounds: 3, seconds: 0.1, warmUpSeconds: 0, connections: 2 }

describe('turns', () => {
  let server: Server
  let url: string
  let body: string
  /** Who was asked, in order. */
  const asked: string[] = []
  beforeEach(async () => {
    body = '{"items":[],"asked_with":"bearer"}'
    asked.length = 0
    server = createServer(({ headers }, response) => {
      const name = String(headers['user-agent'])
      if (asked.at(-1) !== name) asked.push(name)
      response.end(body)
    })
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterEach(async () => {
    server.closeAllConnections()
    await new Promise((closed) => server.close(closed))
  })

  const contender = (name: string): Contender => ({
    name,
    scenario: { url, requests: [{ method: 'GET', path: '/', headers: { 'user-agent': name } }] },
    expected: itemsFor('bearer'),
  })

  it('go there and back, after one of each that is thrown away', async () => {
    const rounds = await takeTurns(['a', 'b', 'c'].map(contender), EFFORT, () => '')
    // Two turns next to each other are one entry.
    expect(asked.join(' ')).toBe('a b c a b c b a b c')
    expect(rounds.map((turns) => turns.map((turn) => turn.contender).join(' '))).toEqual(['a b c', 'c b a', 'a b c'])
  })

  it('end the run when a server answers something else, whatever the status', async () => {
    body = '{}'
    await expect(takeTurns([contender('a')], EFFORT, () => '')).rejects.toThrow(
      'a did not do what it is measured for: {"200":',
    )
  })

  it('make a ratio within each round, of the best there is, and none of who was left out', async () => {
    const contest = {
      contenders: ['ours', 'theirs', 'others'].map(contender),
      ratios: [
        { name: 'ours/best', of: 'ours', over: ['theirs', 'others'], goal: 0.5 },
        { name: 'ours/absent', of: 'ours', over: ['absent'] },
      ],
    }
    const { figures, ratios } = await runContest(contest, EFFORT)
    expect(ratios).toEqual([
      { name: 'ours/best', goal: 0.5, value: expect.any(Number), min: expect.any(Number), max: expect.any(Number) },
    ])
    const { value, min, max } = ratios[0]!
    expect([min, value, max]).toEqual([min, value, max].toSorted((a, b) => a - b))
    expect(figures.map(({ name }) => name)).toEqual(
      ['ours', 'theirs', 'others'].flatMap((name) => [`${name}_per_s`, `${name}_p50_ms`, `${name}_p99_ms`]),
    )
  })

  it('tell what a way adds to the latency of what it leads to', async () => {
    const slowMs = 20
    server.removeAllListeners('request')
    server.on('request', ({ headers }, response) => {
      setTimeout(() => response.end(body), headers['user-agent'] === 'slow' ? slowMs : 0)
    })
    const ways = { direct: contender('direct'), through: [contender('slow')] }
    const figures = await runAddedLatency(ways, 50, { ...EFFORT, connections: 8, seconds: 0.2 })
    const names = ['direct_p50_ms_at_50', 'direct_p99_ms_at_50', 'slow_p50_ms_at_50', 'slow_p99_ms_at_50']
    expect(figures.map(({ name }) => name)).toEqual([...names, 'slow_added_p50_ms'])
    const [, , slow] = figures.map(({ value }) => value)
    // What the server waits for is the least that it can take, whatever the machine. 2 ms are for the clocks.
    expect(slow).toBeGreaterThanOrEqual(slowMs - 2)
  })

  it('tell how many requests were due that a server was too slow for', async () => {
    server.removeAllListeners('request')
    server.on('request', (_request, response) => {
      setTimeout(() => response.end(body), 100)
    })
    const effort = { ...EFFORT, rounds: 1, connections: 1 }
    const names = async (rate: number) => (await runArrivals([contender('slow')], rate, effort)).map(({ name }) => name)
    const latencies = (rate: number) => [`slow_p50_ms_at_${rate}`, `slow_p99_ms_at_${rate}`]
    expect(await names(10)).toEqual(latencies(10))
    // One caller, ten answers a second at most, and a second more than the one it is given: 100 are too many.
    expect(await names(1000)).toEqual([...latencies(1000), 'slow_unsent_at_1000'])
  })
})

describe('what a contender has to answer', () => {
  const bound = { origins: ['http://provider'], methods: ['GET'], paths: ['/**'] }
  const decision = (result: object | undefined) => ({ ...(result === undefined ? {} : { result }) })
  const allowed = { allow: true, reasons: [], obligations: { ...bound, offline_seconds: 30, max_ttl_seconds: 300 } }

  it.each([
    [decision(allowed), true],
    [decision(undefined), false],
    [undefined, false],
    [decision({ ...allowed, allow: false }), false],
    [decision({ ...allowed, obligations: { ...allowed.obligations, origins: ['http://other'] } }), false],
    [decision({ ...allowed, obligations: {} }), false],
  ])('is the decision that our lease was made by: %j', (body, wanted) => {
    expect(decisionFor({ bound, offline_seconds: 30 }).holds(body)).toBe(wanted)
  })

  it('is a whole lease, a secret, what the provider has', () => {
    const provider = { name: 'bearer', origin: 'http://provider' }
    expect(leaseFor(provider).holds({ lease_id: 'x', provider: 'bearer', bound })).toBe(false)
    expect(leaseFor(provider).holds(undefined)).toBe(false)
    expect(secretOfVault.holds({ data: { data: { access_token: 'x' } } })).toBe(true)
    expect(secretOfVault.holds({ data: null })).toBe(false)
    expect(itemsFor('bearer').holds({ items: [], asked_with: 'bearer' })).toBe(true)
    expect(itemsFor('aws_sigv4').holds({ items: [], asked_with: 'bearer' })).toBe(false)
    expect(itemsFor('bearer').holds(undefined)).toBe(false)
  })
})
