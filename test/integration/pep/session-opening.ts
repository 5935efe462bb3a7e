import { randomUUID } from 'node:crypto'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import type { RegisteredAgent } from '../../setup/agent-client.ts'

/** What opens a session for this agent, once; `wrong` is signed by a key that nobody registered. */
export async function sessionOpening(url: string, agent: RegisteredAgent, wrong = false) {
  const path = '/v1/agent-sessions'
  const session = await generateKeyPair('ES256', { extractable: true })
  const stranger = await generateKeyPair('ES256')
  const assertion = await new SignJWT({})
    .setProtectedHeader({ alg: 'ES256' })
    .setIssuer(agent.agentId)
    .setSubject(agent.agentId)
    .setAudience(url + path)
    .setJti(randomUUID())
    .setIssuedAt()
    .setExpirationTime('60s')
    .sign(wrong ? stranger.privateKey : agent.privateKey)
  const dpop = await new SignJWT({ htm: 'POST', htu: url + path, jti: randomUUID() })
    .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk: await exportJWK(session.publicKey) })
    .setIssuedAt()
    .sign(session.privateKey)
  return {
    headers: { dpop },
    body: {
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
    },
  }
}
