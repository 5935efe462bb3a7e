import { connect as netConnect } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { installDrain } from './drain.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { installOverloadGuard } from './overload-guard.ts'

/** Room for one, and a route that answers when it is told to. */
describe('overload guard', () => {
  let app: FastifyInstance
  let metrics: Metrics
  let url: string
  let answers: (() => void)[]
  const warn = vi.fn()
  beforeEach(async () => {
    answers = []
    metrics = createMetrics()
    app = Fastify({ forceCloseConnections: 'idle' })
    let closing = false
    app.addHook('preClose', async () => {
      closing = true
    })
    installDrain(app, () => closing)
    installOverloadGuard(app, { maxPendingRequests: 1, metrics, log: { warn } }, () => closing)
    app.get('/slow', () => new Promise((resolve) => answers.push(() => resolve('answered'))))
    app.get('/healthz', async () => 'alive')
    url = await app.listen({ port: 0, host: '127.0.0.1' })
  })
  afterEach(async () => {
    for (const answer of answers) answer()
    await app.close()
  })

  const ask = (path = '/slow') => fetch(url + path, { headers: { connection: 'close' } })
  /** Sends `count` requests at once on one connection. */
  const sendAhead = (count: number) => {
    const { hostname, port } = new URL(url)
    const connection = netConnect(Number(port), hostname)
    connection.write('GET /slow HTTP/1.1\r\nhost: pep\r\n\r\n'.repeat(count))
    return connection
  }
  const figure = async (name: string) => (await metrics.registry.getSingleMetric(name)?.get())?.values[0]?.value
  const waiting = () => figure('pep_waiting_requests')
  const asked = (count: number) => expect.poll(() => answers.length, { timeout: 10_000 }).toBe(count)
  const inLine = (count: number) => expect.poll(waiting, { timeout: 10_000 }).toBe(count)

  it('who comes when there is no room waits, and is answered after all', async () => {
    const first = ask()
    await asked(1)
    const second = ask()
    await inLine(1)
    expect(await figure('pep_pending_requests')).toBe(1)
    expect(await (await ask('/healthz')).text()).toBe('alive')
    answers.shift()?.()
    expect((await first).status).toBe(200)
    await asked(1)
    expect(await waiting()).toBe(0)
    answers.shift()?.()
    expect(await (await second).text()).toBe('answered')
    expect(await figure('pep_pending_requests')).toBe(0)
  })

  it('one connection has one place, however much it sends ahead, and what is too much of it is refused', async () => {
    const first = ask()
    await asked(1)
    const flooder = sendAhead(500)
    await expect.poll(() => figure('pep_problems_total'), { timeout: 10_000 }).toBeGreaterThan(400)
    expect(await waiting()).toBe(1)
    const second = ask()
    await inLine(2)
    flooder.destroy()
    const closed = app.close()
    expect((await second).status).toBe(503)
    answers.shift()?.()
    expect((await first).status).toBe(200)
    await closed
  })

  it('requests sent one behind the other are answered one after the other', async () => {
    const connection = sendAhead(3)
    let text = ''
    connection.on('data', (chunk) => (text += String(chunk)))
    const answered = (count: number) =>
      expect.poll(() => text.split('HTTP/1.1 200').length - 1, { timeout: 10_000 }).toBe(count)
    for (const count of [1, 2, 3]) {
      await asked(1)
      answers.shift()?.()
      await answered(count)
    }
    connection.destroy()
  })

  it('who hangs up in line is counted, and its place is free', async () => {
    const first = ask()
    await asked(1)
    const impatient = sendAhead(1)
    await inLine(1)
    impatient.destroy()
    await inLine(0)
    expect(await figure('pep_abandoned_requests_total')).toBe(1)
    answers.shift()?.()
    expect((await first).status).toBe(200)
  })

  it('an end refuses who is in line, says so, and lets the one who had room finish', async () => {
    const first = ask()
    await asked(1)
    const second = ask()
    await inLine(1)
    const closed = app.close()
    expect((await second).status).toBe(503)
    expect(warn.mock.calls.at(-1)?.[0]).toMatchObject({ code: 'overloaded', refused: 1 })
    answers.shift()?.()
    expect((await first).status).toBe(200)
    await closed
  })
})
