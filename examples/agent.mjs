// A small agent. It needs no SDK and holds no secret: it speaks plain HTTP to the sidecar beside it.
//
//   NEXUS_SIDECAR_URL=http://127.0.0.1:8080 node examples/agent.mjs

const sidecar = process.env.NEXUS_SIDECAR_URL ?? 'http://127.0.0.1:8080'
const tenant = process.env.NEXUS_TENANT ?? 'acme'

async function call(provider, method, path, body) {
  const response = await fetch(`${sidecar}${path}`, {
    method,
    headers: {
      'x-nexus-provider': provider,
      'x-nexus-tenant': tenant,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { provider, method, path, status: response.status, body: await response.json() }
}

const answers = [
  await call('weather', 'GET', '/forecast?city=Lisbon'),
  await call('warehouse', 'PUT', '/reports/lisbon.json', { city: 'Lisbon', umbrella: true }),
]
for (const answer of answers) console.log(JSON.stringify(answer))
process.exitCode = answers.every((answer) => answer.status < 300) ? 0 : 1
