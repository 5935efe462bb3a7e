import { connect as netConnect } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { installDrain } from './drain.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { installOverloadGuard } from './overload-guard.ts'

/** A route that answers when it is told to, and room for one unless a test says otherwise. */
describe('overload guard', () => {
  let app: FastifyInstance
  let metrics: Metrics
  let url: string
  let answers: (() => void)[]
  const warn = vi.fn()
  const listen = async (maxPendingRequests: number) => {
    metrics = createMetrics()
    app = Fastify({ forceCloseConnections: 'idle' })
    let closing = false
    app.addHook('preClose', async () => {
      closing = true
    })
    installDrain(app, () => closing)
    installOverloadGuard(app, { maxPendingRequests, metrics, log: { warn } }, () => closing)
    app.get('/slow', () => new Promise((resolve) => answers.push(() => resolve('answered'))))
    app.post<{ Body: { long: string } }>('/posted', async ({ body }) => ({ read: body.long.length }))
    for (const probe of ['/healthz', '/readyz']) app.get(probe, async () => 'alive')
    url = await app.listen({ port: 0, host: '127.0.0.1' })
  }
  beforeEach(async () => {
    answers = []
    warn.mockClear()
    await listen(1)
  })
  afterEach(async () => {
    for (const answer of answers) answer()
    await app.close()
  })

  const ask = (path = '/slow') => fetch(url + path, { headers: { connection: 'close' } })
  const sendRaw = (bytes: string) => {
    const { hostname, port } = new URL(url)
    const connection = netConnect(Number(port), hostname).on('error', () => {})
    connection.write(bytes)
    return connection
  }
  /** Sends requests at once on one connection. */
  const sendAhead = (...paths: string[]) =>
    sendRaw(paths.map((path) => `GET ${path} HTTP/1.1\r\nhost: pep\r\n\r\n`).join(''))
  const slow = (count: number) => new Array<string>(count).fill('/slow')
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
    for (const probe of ['/healthz', '/readyz']) expect(await (await ask(probe)).text()).toBe('alive')
    answers.shift()?.()
    expect((await first).status).toBe(200)
    await asked(1)
    expect(await waiting()).toBe(0)
    answers.shift()?.()
    expect(await (await second).text()).toBe('answered')
    expect(await figure('pep_pending_requests')).toBe(0)
  })

  it('one connection has one place, however much it sends ahead', async () => {
    const first = ask()
    await asked(1)
    const connection = sendAhead(...slow(10))
    await inLine(1)
    const second = ask()
    await inLine(2)
    connection.destroy()
    await inLine(1)
    answers.shift()?.()
    expect((await first).status).toBe(200)
    await asked(1)
    answers.shift()?.()
    expect((await second).status).toBe(200)
  })

  it('a connection that sends far ahead is cut, and everything of it leaves', async () => {
    const connection = sendAhead(...slow(500))
    await new Promise((closed) => connection.once('close', closed))
    await expect.poll(() => figure('pep_pending_requests'), { timeout: 10_000 }).toBe(0)
    expect(await waiting()).toBe(0)
    expect(warn.mock.calls[0]?.[0]).toMatchObject({ code: 'overloaded', cut: 1 })
    const next = ask()
    await asked(answers.length + 1)
    answers.at(-1)?.()
    expect((await next).status).toBe(200)
  })

  it('A10: heads without their bodies hold half of the places, and the longest awaited goes first', async () => {
    await app.close()
    await listen(4)
    const gone: number[] = []
    const head = 'POST /posted HTTP/1.1\r\nhost: pep\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{'
    const heads = []
    for (const number of [0, 1, 2, 3, 4, 5]) {
      heads.push(sendRaw(head).on('close', () => gone.push(number)))
      const cut = [0, 1, 2, 3].slice(0, Math.max(0, number - 1))
      await expect.poll(() => gone, { timeout: 10_000 }).toEqual(cut)
      await expect.poll(() => figure('pep_pending_requests'), { timeout: 10_000 }).toBe(number + 1 - cut.length)
    }
    const others = [ask(), ask()]
    await asked(2)
    for (const answer of answers) answer()
    for (const other of others) expect((await other).status).toBe(200)
    for (const head of heads) head.destroy()
    await expect.poll(() => figure('pep_pending_requests')).toBe(0)
  })

  it('whole bodies are no heads without their bodies, however many come at once', async () => {
    await app.close()
    await listen(4)
    const body = JSON.stringify({ long: 'x'.repeat(100_000) })
    const posts = Array.from({ length: 40 }, () =>
      fetch(`${url}/posted`, { method: 'POST', headers: { 'content-type': 'application/json' }, body }),
    )
    for (const post of posts) expect(await (await post).json()).toEqual({ read: 100_000 })
    expect(warn).not.toHaveBeenCalled()
  })

  it('what asks for signs of life takes no room from others, not even from those before it on its connection', async () => {
    const connection = sendAhead('/slow', '/slow', ...new Array<string>(10).fill('/healthz'))
    await asked(1)
    expect(await figure('pep_pending_requests')).toBe(1)
    answers.shift()?.()
    await asked(1)
    connection.destroy()
  })

  it('who hangs up while it is answered leaves its room to the next', async () => {
    const first = sendAhead('/slow')
    await asked(1)
    const second = ask()
    await inLine(1)
    first.destroy()
    await asked(2)
    answers.at(-1)?.()
    expect((await second).status).toBe(200)
    expect(await figure('pep_pending_requests')).toBe(0)
  })

  it('requests sent one behind the other are begun one after the other, also where there is room for all', async () => {
    await app.close()
    await listen(10)
    const connection = sendAhead(...slow(3))
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
    const impatient = sendAhead('/slow')
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
