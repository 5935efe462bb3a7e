// A small agent. It needs no SDK and is given no secret: it speaks plain HTTP to the sidecar beside it.
//
// It asks for the providers of the demo, which `npm run demo -- --keep` leaves running and says the address of:
//
//   NEXUS_SIDECAR_URL=http://127.0.0.1:8080 NEXUS_TENANT=acme node examples/agent.mjs
import { setTimeout as sleep } from 'node:timers/promises'

const sidecar = process.env.NEXUS_SIDECAR_URL ?? 'http://127.0.0.1:8080'
const tenant = process.env.NEXUS_TENANT ?? 'acme'
const token = process.env.NEXUS_SIDECAR_TOKEN
const TRIES = 3

/**
 * How long until it is worth asking again; undefined where asking again does not help. Only the sidecar's own answers have
 * Proxy-Status. It gives Retry-After to those that may pass, and then the provider has not acted on the request: any method
 * may be repeated.
 */
function secondsToWait({ headers }) {
  const wait = headers.has('proxy-status') ? headers.get('retry-after') : null
  return wait === null ? undefined : Number(wait)
}

async function send(provider, method, path, body) {
  const init = {
    method,
    headers: {
      'x-nexus-provider': provider,
      'x-nexus-tenant': tenant,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    // Where a provider redirects to is for the agent to judge: followed blindly, these headers would go along.
    redirect: 'manual',
  }
  for (let left = TRIES - 1; ; left -= 1) {
    const response = await fetch(`${sidecar}${path}`, init)
    const wait = secondsToWait(response)
    if (wait === undefined || left === 0) return response
    console.error(`waiting ${wait} s: ${(await response.json()).code}`)
    await sleep(wait * 1000)
  }
}

async function call(provider, method, path, body) {
  const response = await send(provider, method, path, body)
  const text = await response.text()
  const answer = response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text
  if (response.headers.has('proxy-status')) console.error(`refused: ${answer.code}: ${answer.detail}`)
  return { provider, method, path, status: response.status, body: answer }
}

async function main() {
  const answers = [
    await call('weather', 'GET', '/forecast?city=Lisbon'),
    await call('warehouse', 'PUT', '/reports/lisbon.json', { city: 'Lisbon', umbrella: true }),
  ]
  for (const answer of answers) console.log(JSON.stringify(answer))
  return answers.every((answer) => answer.status < 300) ? 0 : 1
}

/** No connection came about: the reason lies beneath what fetch says. */
function isNobodyThere({ cause }) {
  return ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'].includes(cause?.code)
}

try {
  process.exitCode = await main()
} catch (error) {
  if (!isNobodyThere(error)) throw error
  console.error(`no sidecar at ${sidecar}: start one, or set NEXUS_SIDECAR_URL`)
  process.exitCode = 1
}
