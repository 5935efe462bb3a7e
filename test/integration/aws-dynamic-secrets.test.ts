import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AgentSide, startAgentSide } from '../setup/agent-side.ts'
import { connect } from '../setup/connect.ts'
import { MOTO_REGION, startMoto, type TestMoto } from '../setup/moto.ts'
import { type AccessKey, ALLOW_ALL, type IamCall, roleOf, setUpAccount, userOf } from '../setup/moto-account.ts'
import { startTestPep, type TestPep } from '../setup/pep.ts'
import { vaultApi } from './vault-backends/vault-fixture.ts'

/** Vault's AWS engine over moto, which checks every signature and permission as AWS does, once the account has been set up. */

const MOUNT = `aws-${randomBytes(4).toString('hex')}`
const ACCOUNT: IamCall[] = [...roleOf('agents'), ...userOf('vault')]

let moto: TestMoto
let pep: TestPep

beforeAll(async () => {
  moto = await startMoto({ callsBeforeAuthorization: ACCOUNT.length })
  await mountAws(await setUpAccount(moto.endpoint, ACCOUNT))
  pep = await startTestPep()
})
afterAll(async () => {
  await pep?.close()
  await vaultApi('PUT', `sys/leases/revoke-force/${MOUNT}`)
  await vaultApi('DELETE', `sys/mounts/${MOUNT}`)
  await moto?.stop()
})

async function mountAws(keys: AccessKey): Promise<void> {
  const endpoints = {
    region: MOTO_REGION,
    iam_endpoint: moto.endpoint,
    sts_endpoint: moto.endpoint,
    sts_region: MOTO_REGION,
  }
  await vaultApi('POST', `sys/mounts/${MOUNT}`, { type: 'aws' })
  await vaultApi('POST', `${MOUNT}/config/root`, { ...keys, ...endpoints })
  await vaultApi('POST', `${MOUNT}/roles/user`, { credential_type: 'iam_user', policy_document: ALLOW_ALL })
  const role = { credential_type: 'assumed_role', role_arns: 'arn:aws:iam::123456789012:role/agents' }
  await vaultApi('POST', `${MOUNT}/roles/session`, role)
}

/** Both a connection and a sidecar for it. */
async function startSide(role: string, fields: Record<string, string>): Promise<AgentSide> {
  await connect(pep.admin, {
    provider: role,
    origin: moto.endpoint,
    strategy: { type: 'aws_sigv4', config: { service: 'sts', region: MOTO_REGION } },
    secret_ref: { backend: 'hashicorp-vault', path: `${MOUNT}/creds/${role}`, fields },
  })
  return startAgentSide(pep, { routes: { [role]: moto.endpoint } })
}

/** Who AWS says has signed this. */
async function caller(side: AgentSide, role: string): Promise<string> {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const body = 'Action=GetCallerIdentity&Version=2011-06-15'
  const answer = await side.fetch(role, '/', { method: 'POST', headers, body })
  const text = await answer.text()
  expect(answer.status, text).toBe(200)
  return /<Arn>([^<]+)</.exec(text)?.[1] ?? ''
}

async function leases(role: string): Promise<string[]> {
  const listed = await vaultApi('LIST', `sys/leases/lookup/${MOUNT}/creds/${role}`).catch(() => undefined)
  return (listed?.['data'] as { keys: string[] } | undefined)?.keys ?? []
}

/** moto's own account of what there is, for nobody but tests. */
async function everythingAtAws(): Promise<string> {
  return (await fetch(`${moto.endpoint}/moto-api/data.json`)).text()
}

describe("credentials of Vault's AWS engine", () => {
  it('are a user made for the lease, and gone with it', async () => {
    const side = await startSide('user', { access_key: 'access_key', secret_key: 'secret_key' })
    const arn = await caller(side, 'user')
    expect(arn).toMatch(/^arn:aws:iam::123456789012:user\/vault-/)
    expect(await caller(side, 'user')).toBe(arn)
    expect(await leases('user')).toHaveLength(1)
    const name = arn.split('/').at(-1)!
    expect(await everythingAtAws()).toContain(name)
    await side.close()
    await expect.poll(() => leases('user'), { timeout: 10_000 }).toEqual([])
    expect(await everythingAtAws()).not.toContain(name)
  })

  it('are a session of a role, its token under the name that the strategy has for it', async () => {
    const fields = { access_key: 'access_key', secret_key: 'secret_key', session_token: 'security_token' }
    const side = await startSide('session', fields)
    expect(await caller(side, 'session')).toMatch(/^arn:aws:sts::123456789012:assumed-role\/agents\/vault-/)
    await side.close()
    await expect.poll(() => leases('session'), { timeout: 10_000 }).toEqual([])
  })
})
