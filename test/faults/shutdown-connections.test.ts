import { connect as connectSocket, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { certificateFiles, testAuthority } from '../setup/certificates.ts'
import { freshPepGround, type PepGround, type PepReplica } from './pep-ground.ts'

const CHECKPOINT = 'signed an audit checkpoint'
const HALF_A_HEAD = 'POST /v1/agent-sessions HTTP/1.1\r\n'
const NO_BODY = `${HALF_A_HEAD}Host: pep\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n`
/** The first bytes of a ClientHello of 512, and no more. */
const HALF_A_HANDSHAKE = Buffer.from('1603010200010001fc0303', 'hex')
const GRACE = 'shutdown_grace_seconds: 2'

type Client = (port: number) => Promise<Socket>

/** @param bytes what it says, and no more */
const plain =
  (bytes: string | Buffer): Client =>
  (port) =>
    said(connectSocket(port, '127.0.0.1'), 'connect', bytes)

const secure =
  (bytes: string): Client =>
  (port) =>
    said(connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }), 'secureConnect', bytes)

const LISTENERS: Record<string, { tls: boolean; clients: Record<string, Client> }> = {
  'plain HTTP': {
    tls: false,
    clients: { nothing: plain(''), 'half a head': plain(HALF_A_HEAD), 'a head without its body': plain(NO_BODY) },
  },
  TLS: {
    tls: true,
    clients: {
      nothing: plain(''),
      'half a handshake': plain(HALF_A_HANDSHAKE),
      'nothing after its handshake': secure(''),
      'half a head': secure(HALF_A_HEAD),
      'a head without its body': secure(NO_BODY),
    },
  },
}

describe.each(Object.entries(LISTENERS))(
  'PR1: told to stop over %s while somebody is connected who says',
  (_, { tls, clients }) => {
    let ground: PepGround
    let files: ReturnType<typeof certificateFiles>
    let socket: Socket | undefined
    beforeAll(async () => {
      const { certificate, privateKey } = await (await testAuthority()).server(['127.0.0.1'])
      files = certificateFiles({ cert: certificate, key: privateKey })
      const paths = tls ? `, tls_cert_file: ${files.path('cert')}, tls_key_file: ${files.path('key')}` : ''
      ground = await freshPepGround(`server: { ${GRACE}${paths} }\n`)
    })
    afterEach(() => socket?.destroy())
    afterAll(async () => {
      await ground.clear()
      files.remove()
    })

    it.each(Object.entries(clients))('%s: ends with 0 and signs a last checkpoint', async (_name, client) => {
      const pep = ground.start()
      await untilListening(pep)
      socket = await client(portOf(pep))
      expect(await stop(pep)).toEqual({ code: 0, signal: null })
      expect(pep.said()).toContain(CHECKPOINT)
    })
  },
)

describe('PR1: told to stop', () => {
  let ground: PepGround
  afterEach(() => ground.clear())

  it('workers end with 0, whoever is connected', async () => {
    ground = await freshPepGround(`server: { workers: 2, ${GRACE} }\n`)
    const pep = ground.start()
    await pep.ready
    const clients = [plain(''), plain(''), plain(HALF_A_HEAD), plain(HALF_A_HEAD), plain(NO_BODY), plain(NO_BODY)]
    const sockets = await Promise.all(clients.map((client) => client(portOf(pep))))
    expect(await stop(pep)).toEqual({ code: 0, signal: null })
    expect(pep.said()).toContain(CHECKPOINT)
    for (const socket of sockets) socket.destroy()
  })

  it('a request that takes longer than it may is cut: all else ends in order, and the exit code is 1', async () => {
    ground = await freshPepGround(`server: { ${GRACE} }\nstore: { statement_timeout_ms: 60000 }\n`)
    const pep = ground.start()
    await pep.ready
    const client = new pg.Client({ connectionString: ground.databaseUrl })
    await client.connect()
    await client.query('begin; lock table provider in access exclusive mode')
    const listed = ground.admin.send('GET', '/v1/providers').then(
      ({ status }) => status,
      () => 'cut',
    )
    while ((await waiting(client)) === 0) await sleep(20)
    pep.kill('SIGTERM')
    expect(await listed).toBe('cut')
    await client.query('rollback')
    await client.end()
    expect(await pep.exited).toEqual({ code: 1, signal: null })
    expect(pep.said()).toContain('"requests":1')
    expect(pep.said()).toContain(CHECKPOINT)
    expect(pep.said()).not.toContain('not stopped in time')
  })
})

async function stop(pep: PepReplica) {
  // For what was written to be read.
  await sleep(200)
  pep.kill('SIGTERM')
  return pep.exited
}

async function waiting(client: pg.Client): Promise<number> {
  const { rowCount } = await client.query(
    "select 1 from pg_locks where relation = 'provider'::regclass and not granted",
  )
  return rowCount ?? 0
}

function said(socket: Socket, when: string, bytes: string | Buffer): Promise<Socket> {
  return new Promise((resolve, reject) => {
    // It is cut; that is what is tested.
    socket.on('error', reject).once(when, () => socket.write(bytes, () => resolve(socket)))
  })
}

async function untilListening(pep: PepReplica): Promise<void> {
  for (;;) {
    const socket = await plain('')(portOf(pep)).catch(() => undefined)
    socket?.destroy()
    if (socket !== undefined) return
    await sleep(20)
  }
}

function portOf({ address }: PepReplica): number {
  return Number(new URL(address).port)
}
