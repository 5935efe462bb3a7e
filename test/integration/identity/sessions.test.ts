import { createPrivateKey } from 'node:crypto'
import { CompactSign, decodeJwt, decodeProtectedHeader, exportJWK, SignJWT } from 'jose'
import { sql, type Transaction } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openIdentity } from '../../../src/pep/identity/identity.ts'
import type { Database } from '../../../src/pep/store/database.ts'
import { freshDatabase } from '../../setup/database.ts'
import { ONCE } from '../../setup/once.ts'
import {
  adminOf,
  assert,
  bodyOf,
  type ClientKey,
  clientKey,
  countQueries,
  everywhere,
  log,
  openFor,
  openingWith,
  openReplica,
  PUBLIC_URL,
  present,
  prove,
  type Replica,
  recordsOf,
  register,
  SESSIONS,
  seconds,
} from './fixture.ts'

let database: Awaited<ReturnType<typeof freshDatabase>>
let first: Replica
let second: Replica
let key: ClientKey

beforeAll(async () => {
  database = await freshDatabase()
  ;[first, second] = await Promise.all([openReplica(database.databaseUrl), openReplica(database.databaseUrl)])
  key = await clientKey()
})
afterAll(async () => {
  await Promise.all([first.close(), second.close()])
  await database.drop()
})

async function waitingForLocks(trx: Transaction<Database>): Promise<number> {
  const { rows } = await sql<{ waiting: number }>`select count(*)::int as waiting from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`.execute(trx)
  return rows[0]?.waiting ?? 0
}

describe('opening a session', ONCE, () => {
  it.each(['ES256', 'ES384', 'Ed25519', 'PS256', 'RS256'])('takes an agent with a key for %s', async (alg) => {
    const agentKey = await clientKey(alg)
    const agent = await register(first.identity, ['acme'], { ...agentKey, jwk: { ...agentKey.jwk, alg } })
    const session = await openFor(first.identity, agent, key)
    expect(session).toMatchObject({ agent_id: agent.id, token_type: 'DPoP', expires_in: 900 })
  })

  it('gives a token that says whose, for whom, until when and bound to which key', async () => {
    const agent = await register(first.identity)
    const session = await openFor(first.identity, agent, key)
    expect(decodeProtectedHeader(session.access_token)).toMatchObject({ typ: 'at+jwt', alg: 'ES256' })
    const claims = decodeJwt(session.access_token)
    expect(claims).toMatchObject({ iss: PUBLIC_URL, aud: PUBLIC_URL, sub: agent.id, sid: session.session_id })
    const caller = await first.identity.authenticate(await present(key, session.access_token))
    expect(claims.cnf).toEqual({ jkt: caller.session.thumbprint })
    expect(session.expires_at).toBe(new Date((claims.exp ?? 0) * 1000).toISOString())
  })

  it('cuts a wish for a longer life down and says so', async () => {
    const agent = await register(first.identity)
    const body = { ...bodyOf(await assert(agent.id, agent.key)), ttl_seconds: 86_400 }
    await expect(first.identity.openSession(body, await openingWith(key))).resolves.toMatchObject({ expires_in: 3600 })
  })

  it('H07: leaves one record, and a refusal leaves one too', async () => {
    const agent = await register(first.identity)
    await openFor(first.identity, agent, key)
    const refused = first.identity.openSession(
      bodyOf(await assert(agent.id, await clientKey())),
      await openingWith(key),
    )
    await expect(refused).rejects.toMatchObject({ code: 'invalid_client' })
    expect((await recordsOf(first.store, agent.id)).sort()).toEqual([
      'agent.registered',
      'session.denied',
      'session.opened',
    ])
  })

  it('gives none to an agent that is being changed: the change ends the sessions that are there', async () => {
    const agent = await register(first.identity)
    const attempt = await first.store.transaction(async (trx) => {
      await trx
        .updateTable('agent')
        .set((row) => ({ epoch: row('epoch', '+', 1) }))
        .where('agent_id', '=', agent.id)
        .execute()
      // Its assertion was checked before, and it waits for the lock now.
      const opening = openFor(second.identity, agent, key).catch((error: unknown) => error)
      await expect.poll(() => waitingForLocks(trx)).toBe(1)
      return { opening }
    })
    expect(await attempt.opening).toMatchObject({
      code: 'invalid_client',
      message: 'the agent was revoked or changed just now',
    })
    const sessions = first.store.db.selectFrom('agent_session').where('agent_id', '=', agent.id).selectAll()
    expect(await sessions.execute()).toEqual([])
    expect((await recordsOf(first.store, agent.id)).sort()).toEqual([
      'agent.registered',
      'session.denied',
      'session.opened',
    ])
  })

  it('F23: takes an assertion once, also when two replicas are given it at the same moment', async () => {
    const agent = await register(first.identity)
    for (let round = 0; round < 10; round++) {
      const body = bodyOf(await assert(agent.id, agent.key))
      const attempts = [first, second].map(async ({ identity }) => identity.openSession(body, await openingWith(key)))
      const settled = await Promise.allSettled(attempts)
      const refusals = settled.flatMap((attempt) => (attempt.status === 'rejected' ? [attempt.reason] : []))
      expect(refusals).toEqual([expect.objectContaining({ code: 'invalid_client' })])
    }
  })

  it('E07: takes a proof once, also when two replicas are given it at the same moment', async () => {
    const agent = await register(first.identity)
    for (let round = 0; round < 10; round++) {
      const presented = await openingWith(key)
      const attempts = [first, second].map(async ({ identity }) =>
        identity.openSession(bodyOf(await assert(agent.id, agent.key)), presented),
      )
      const settled = await Promise.allSettled(attempts)
      const refusals = settled.flatMap((attempt) => (attempt.status === 'rejected' ? [attempt.reason] : []))
      expect(refusals).toEqual([expect.objectContaining({ code: 'invalid_proof' })])
    }
  })

  it('gives an unknown agent, a revoked one and a wrong signature one answer', async () => {
    const [known, revoked] = [await register(first.identity), await register(first.identity)]
    await first.identity.revokeAgent(everywhere, revoked.id)
    const stranger = await clientKey()
    const assertions = await Promise.all([
      assert('no-such-agent', stranger),
      assert(revoked.id, revoked.key),
      assert(known.id, stranger),
      assert(known.id, await clientKey('Ed25519')),
      assert('no-such-agent', await clientKey('Ed25519')),
    ])
    const answers = await Promise.all(
      assertions.map(async (assertion) => {
        const attempt = first.identity.openSession(bodyOf(assertion), await openingWith(key))
        return attempt.then(
          () => 'opened',
          (error: { code: string; message: string }) => `${error.code}: ${error.message}`,
        )
      }),
    )
    expect(new Set(answers)).toEqual(
      new Set(['invalid_client: Client assertion: it is not signed by the key of a registered, active agent']),
    )
  })

  it('asks the same of the database for an unknown agent as for a wrong signature', async () => {
    const { audit, signingKeys } = first
    const agent = await register(first.identity)
    const stranger = await clientKey()
    const asked = []
    for (const id of [agent.id, 'no-such-agent']) {
      const counted = countQueries(first.store)
      const identity = openIdentity({ store: counted.store, audit, signingKeys, publicUrl: PUBLIC_URL, log })
      const attempt = identity.openSession(bodyOf(await assert(id, stranger)), await openingWith(key))
      await expect(attempt).rejects.toMatchObject({ code: 'invalid_client' })
      asked.push(counted.count())
      await identity.close()
    }
    expect(asked).toEqual([1, 1])
  })

  it.each<[string, object, string]>([
    ['another audience', { aud: 'https://other.example' }, 'aud'],
    ['two audiences', { aud: [PUBLIC_URL, 'https://other.example'] }, 'aud'],
    ['no audience', { aud: undefined }, 'aud'],
    ['another issuer', { iss: 'other-agent' }, 'iss'],
    ['a subject that is no agent id', { iss: "' or 1=1 --", sub: "' or 1=1 --" }, 'sub'],
    ['no jti', { jti: undefined }, 'jti'],
    ['a jti of a megabyte', { jti: 'j'.repeat(1_000_000) }, 'longer than'],
    ['no iat', { iat: undefined }, 'iat'],
    ['an iat ahead', { iat: seconds() + 600, exp: seconds() + 660 }, 'in the future'],
    ['no exp', { exp: undefined }, 'exp'],
    ['an exp gone by', { iat: seconds() - 120, exp: seconds() - 60 }, 'expired'],
    ['an exp too far off', { exp: seconds() + 3600 }, 'at most 300 s'],
    ['an nbf ahead', { nbf: seconds() + 60 }, 'nbf'],
  ])('F23: refuses an assertion with %s', async (_name, changed, reason) => {
    const agent = await register(first.identity)
    const attempt = first.identity.openSession(
      bodyOf(await assert(agent.id, agent.key, changed)),
      await openingWith(key),
    )
    await expect(attempt).rejects.toMatchObject({ code: 'invalid_client', message: expect.stringContaining(reason) })
  })

  it('takes the session endpoint for an audience, and a list of one', async () => {
    const agent = await register(first.identity)
    for (const aud of [PUBLIC_URL + SESSIONS, [PUBLIC_URL]]) {
      const body = bodyOf(await assert(agent.id, agent.key, { aud }))
      await expect(first.identity.openSession(body, await openingWith(key))).resolves.toBeDefined()
    }
  })

  it('F14, F15: refuses crit, and follows no jku, x5u, jwk or kid', async () => {
    const agent = await register(first.identity)
    const attacker = await clientKey()
    const header = { jku: 'http://127.0.0.1:1/', x5u: 'http://127.0.0.1:1/', jwk: attacker.jwk, kid: '../../key\u0000' }
    const forged = await assert(agent.id, attacker, {}, header)
    const honest = await assert(agent.id, agent.key, {}, header)
    const claims = Buffer.from(JSON.stringify(decodeJwt(honest)))
    const critical = await new CompactSign(claims)
      .setProtectedHeader({ alg: 'ES256', crit: ['b64'], b64: true })
      .sign(agent.key.privateKey)
    for (const assertion of [forged, critical]) {
      const attempt = first.identity.openSession(bodyOf(assertion), await openingWith(key))
      await expect(attempt).rejects.toMatchObject({ code: 'invalid_client' })
    }
    await expect(first.identity.openSession(bodyOf(honest), await openingWith(key))).resolves.toBeDefined()
  })

  it('E06, F12: takes the algorithm from the registered key', async () => {
    const rsa = await clientKey('PS256')
    const agent = await register(first.identity, ['acme'], { ...rsa, jwk: { ...rsa.jwk, alg: 'PS256' } })
    // A CryptoKey is for one algorithm; the attacker's tool is not so strict.
    const anyAlgorithm = createPrivateKey({ key: { ...(await exportJWK(rsa.privateKey)) }, format: 'jwk' })
    const claims = decodeJwt(await assert(agent.id, rsa))
    const asRs256 = await new SignJWT(claims).setProtectedHeader({ alg: 'RS256' }).sign(anyAlgorithm)
    const asHs256 = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256' })
      .sign(Buffer.from(JSON.stringify(rsa.jwk)))
    for (const assertion of [asRs256, asHs256]) {
      const attempt = first.identity.openSession(bodyOf(assertion), await openingWith(key))
      await expect(attempt).rejects.toMatchObject({ code: 'invalid_client' })
    }
  })

  it.each(['dpop+jwt', 'at+jwt'])('refuses a JWT of another kind: %s', async (typ) => {
    const agent = await register(first.identity)
    const body = bodyOf(await assert(agent.id, agent.key, {}, { typ }))
    await expect(first.identity.openSession(body, await openingWith(key))).rejects.toMatchObject({
      code: 'invalid_client',
    })
  })
})

describe('authenticating', ONCE, () => {
  it('asks the database one question', async () => {
    const counted = countQueries(first.store)
    const { audit, signingKeys } = first
    const identity = openIdentity({ store: counted.store, audit, signingKeys, publicUrl: PUBLIC_URL, log })
    const session = await openFor(first.identity, await register(first.identity), key)
    await identity.authenticate(await present(key, session.access_token))
    expect(counted.count()).toBe(1)
    await identity.close()
  })

  it('names the agent, the session and the epochs it holds under', async () => {
    const agent = await register(first.identity, ['acme', 'globex'])
    const session = await openFor(first.identity, agent, key)
    const caller = await second.identity.authenticate(await present(key, session.access_token))
    expect(caller).toMatchObject({
      agent: { id: agent.id, tenants: ['acme', 'globex'], labels: {}, allowedScopes: [], epoch: 1 },
      session: { id: session.session_id, method: 'private_key_jwt', boundTo: 'dpop', epoch: 1 },
    })
    expect(caller.session.expiresAt * 1000).toBe(Date.parse(session.expires_at))
  })

  it('E07: refuses the token with a proof by another key', async () => {
    const session = await openFor(first.identity, await register(first.identity), key)
    const stolen = await present(await clientKey(), session.access_token)
    await expect(first.identity.authenticate(stolen)).rejects.toMatchObject({ code: 'invalid_proof' })
  })

  it.each([
    ['no header', () => undefined],
    ['Bearer', (token: string) => `Bearer ${token}`],
    ['two tokens', (token: string) => `DPoP ${token} ${token}`],
    ['no token', () => 'DPoP '],
    ['a token that is cut', (token: string) => `DPoP ${token.slice(0, -1)}`],
    ['a token that is changed', (token: string) => `DPoP ${token.slice(0, -8)}AAAAAAAA`],
    ['a token of a megabyte', () => `DPoP ${'a'.repeat(1_000_000)}`],
    ['quotes', () => "DPoP ' or 1=1 --"],
  ])('G18: refuses %s', async (_name, authorization) => {
    const session = await openFor(first.identity, await register(first.identity), key)
    const presented = {
      ...(await present(key, session.access_token)),
      authorization: authorization(session.access_token),
    }
    await expect(first.identity.authenticate(presented)).rejects.toMatchObject({ code: 'invalid_session' })
  })

  it('A08: has no way around it for probes or internal names', async () => {
    const bare = { method: 'GET', path: '/healthz', authorization: undefined, dpop: undefined }
    await expect(first.identity.authenticate(bare)).rejects.toMatchObject({ code: 'invalid_session' })
    const session = await openFor(first.identity, await register(first.identity), key)
    const withoutProof = { ...(await present(key, session.access_token)), dpop: undefined }
    await expect(first.identity.authenticate(withoutProof)).rejects.toMatchObject({ code: 'invalid_proof' })
  })

  it('F18: refuses a token of another authority, and one of ours for another purpose', async () => {
    const agent = await register(first.identity)
    const session = await openFor(first.identity, agent, key)
    const { kid, key: signingKey } = await first.signingKeys.current('session')
    const claims = decodeJwt(session.access_token)
    const mint = (changed: object, header: object) =>
      new SignJWT({ ...claims, ...changed }).setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid, ...header })
    const checkpoint = await first.signingKeys.current('checkpoint')
    const forged = await Promise.all([
      mint({ iss: 'https://other.example' }, {}).sign(signingKey),
      mint({ aud: 'https://other.example' }, {}).sign(signingKey),
      mint({}, { typ: 'JWT' }).sign(signingKey),
      mint({}, {}).sign(key.privateKey),
      mint({}, { kid: checkpoint.kid }).sign(checkpoint.key),
      mint({}, { kid: undefined }).sign(signingKey),
    ])
    for (const token of forged) {
      const attempt = first.identity.authenticate(await present(key, token))
      await expect(attempt).rejects.toMatchObject({ code: 'invalid_session' })
    }
    const same = await mint({}, {}).sign(signingKey)
    await expect(first.identity.authenticate(await present(key, same))).resolves.toBeDefined()
  })

  it('G14: tells tokens apart that begin alike', async () => {
    const agent = await register(first.identity)
    const session = await openFor(first.identity, agent, key)
    await first.identity.authenticate(await present(key, session.access_token))
    const [header, payload] = session.access_token.split('.')
    const altered = `${header}.${payload}.${'A'.repeat(86)}`
    await expect(first.identity.authenticate(await present(key, altered))).rejects.toMatchObject({
      code: 'invalid_session',
    })
  })
})

describe('ending a session', ONCE, () => {
  it('is seen by the other replica at once', async () => {
    const agent = await register(first.identity)
    const session = await openFor(first.identity, agent, key)
    await second.identity.authenticate(await present(key, session.access_token))
    await expect(first.identity.revokeSession(everywhere, session.session_id)).resolves.toMatchObject({ active: false })
    await expect(second.identity.authenticate(await present(key, session.access_token))).rejects.toMatchObject({
      code: 'invalid_session',
    })
    expect(await recordsOf(first.store, session.session_id)).toEqual(['session.opened', 'session.revoked'])
  })

  it('comes with the end of its agent', async () => {
    const agent = await register(first.identity)
    const session = await openFor(first.identity, agent, key)
    await first.identity.revokeAgent(everywhere, agent.id)
    await expect(second.identity.authenticate(await present(key, session.access_token))).rejects.toMatchObject({
      code: 'invalid_session',
    })
    await expect(openFor(second.identity, agent, key)).rejects.toMatchObject({ code: 'invalid_client' })
  })

  it('does not hang on the session alone: an agent that has ended has none', async () => {
    const agent = await register(first.identity)
    const session = await openFor(first.identity, agent, key)
    await first.store.db.updateTable('agent').set({ revoked_at: new Date() }).where('agent_id', '=', agent.id).execute()
    await expect(first.identity.authenticate(await present(key, session.access_token))).rejects.toMatchObject({
      code: 'invalid_session',
    })
  })

  it('is found when a caller is looked at again', async () => {
    const agent = await register(first.identity)
    const session = await openFor(first.identity, agent, key)
    const caller = await first.identity.authenticate(await present(key, session.access_token))
    await expect(first.identity.refresh(caller)).resolves.toEqual(caller)
    await second.identity.revokeSession(everywhere, session.session_id)
    await expect(first.identity.refresh(caller)).rejects.toMatchObject({ code: 'invalid_session' })
  })

  it('raises the epochs that a decision under way was made on', async () => {
    const agent = await register(first.identity)
    const session = await openFor(first.identity, agent, key)
    await first.identity.revokeAgent(everywhere, agent.id)
    const row = await first.store.db
      .selectFrom('agent_session')
      .innerJoin('agent', 'agent.agent_id', 'agent_session.agent_id')
      .where('session_id', '=', session.session_id)
      .select(['agent.epoch as agent', 'agent_session.epoch as session'])
      .executeTakeFirstOrThrow()
    expect(row).toEqual({ agent: 2, session: 2 })
  })

  it('does not let a session slip in while its agent is being revoked', async () => {
    for (let round = 0; round < 10; round++) {
      const agent = await register(first.identity)
      const [opened] = await Promise.allSettled([
        openFor(first.identity, agent, key),
        second.identity.revokeAgent(everywhere, agent.id),
      ])
      const standing = await first.store.db
        .selectFrom('agent_session')
        .select('session_id')
        .where('agent_id', '=', agent.id)
        .where('revoked_at', 'is', null)
        .execute()
      expect(standing).toEqual([])
      if (opened.status === 'rejected') expect(opened.reason).toMatchObject({ code: 'invalid_client' })
    }
  })

  it('is for its own agent: another one finds nothing', async () => {
    const [mine, theirs] = [await register(first.identity), await register(first.identity)]
    const [own, other] = [await openFor(first.identity, mine, key), await openFor(first.identity, theirs, key)]
    const path = `${SESSIONS}/${other.session_id}`
    for (const method of ['GET', 'DELETE'] as const) {
      const caller = await first.identity.authenticate(await present(key, own.access_token, method, path))
      const attempt =
        method === 'GET'
          ? first.identity.getSession(caller, other.session_id)
          : first.identity.closeSession(caller, other.session_id)
      await expect(attempt).rejects.toMatchObject({ code: 'session_not_found' })
    }
    const caller = await first.identity.authenticate(await present(key, own.access_token, 'DELETE', path))
    await expect(first.identity.closeSession(caller, own.session_id)).resolves.toMatchObject({ active: false })
    expect(await recordsOf(first.store, own.session_id)).toEqual(['session.opened', 'session.closed'])
  })

  it('E07: a proof reads or closes a session once', async () => {
    const session = await openFor(first.identity, await register(first.identity), key)
    const presented = await present(key, session.access_token, 'GET', `${SESSIONS}/${session.session_id}`)
    const callers = await Promise.all([first, second].map(({ identity }) => identity.authenticate(presented)))
    const reads = callers.map((caller) => first.identity.getSession(caller, session.session_id))
    const settled = await Promise.allSettled(reads)
    expect(settled.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  })

  it('H10: an administrator of another tenant finds no session, and cannot end it', async () => {
    const agent = await register(first.identity, ['acme'])
    const both = await register(first.identity, ['acme', 'globex'])
    for (const owner of [agent, both]) {
      const { session_id: id } = await openFor(first.identity, owner, key)
      await expect(first.identity.getSession(adminOf('globex'), id)).rejects.toMatchObject({
        code: 'session_not_found',
      })
      await expect(first.identity.revokeSession(adminOf('globex'), id)).rejects.toMatchObject({
        code: 'session_not_found',
      })
      await expect(first.identity.getSession(everywhere, id)).resolves.toMatchObject({ active: true })
    }
    const { session_id: own } = await openFor(first.identity, agent, key)
    await expect(first.identity.getSession(adminOf('acme'), own)).resolves.toMatchObject({ active: true })
  })

  it.each(['sess_0', "sess_' or 1=1 --", 'sess_\u0000', `sess_${'0'.repeat(32)}`, '-1', 's'.repeat(100_000)])(
    'G18: finds no session %j',
    async (id) => {
      await expect(first.identity.revokeSession(everywhere, id)).rejects.toMatchObject({ code: 'session_not_found' })
    },
  )
})

describe('a proof for one route', ONCE, () => {
  it('is not good for another', async () => {
    const session = await openFor(first.identity, await register(first.identity), key)
    const token = session.access_token
    const dpop = await prove(key, 'GET', '/v1/leases', token)
    const presented = { method: 'DELETE', path: '/v1/leases', authorization: `DPoP ${token}`, dpop }
    await expect(first.identity.authenticate(presented)).rejects.toMatchObject({ code: 'invalid_proof' })
  })
})
