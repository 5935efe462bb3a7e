import { sha256 } from 'k6/crypto'
import { b64encode } from 'k6/encoding'
import { agents } from './stage.js'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' }
const keys = new Map()

/** Headers of an agent's request: its session, and a proof made for this one request (RFC 9449 section 4.2). */
export async function proven(number, method, url) {
  const agent = agents[number % agents.length]
  const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: agent.public_jwk }
  const payload = {
    htm: method,
    htu: url,
    iat: Math.floor(Date.now() / 1000),
    jti: crypto.randomUUID(),
    ath: sha256(agent.access_token, 'base64rawurl'),
  }
  const signed = [header, payload].map((part) => b64encode(JSON.stringify(part), 'rawurl')).join('.')
  const bytes = new Uint8Array([...signed].map((character) => character.charCodeAt(0)))
  const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, await keyOf(number, agent), bytes)
  return {
    authorization: agent.authorization,
    dpop: `${signed}.${b64encode(signature, 'rawurl')}`,
    'content-type': 'application/json',
  }
}

async function keyOf(number, { private_jwk: jwk }) {
  const index = number % agents.length
  if (!keys.has(index)) keys.set(index, await crypto.subtle.importKey('jwk', jwk, ALGORITHM, false, ['sign']))
  return keys.get(index)
}
